//! The built-in catalog: everything in it parses, renders, differs and is clean.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hornbook_prompt::{
    Catalog, CompiledTemplate, JobContext, RenderContext, estimate_tokens, lint_audience,
    lint_audience_pair, lint_template, similarity,
};
use hornbook_types::{AudienceSpec, JobSeed, Slug};
use serde_json::{Map, Value};

/// Most that two audiences' prompts of one template and seed may share, facts included.
const PROMPT_SIMILARITY_MAX: f64 = 0.45;
/// Longest prompt of the catalog in estimated tokens, so that small contexts keep room to answer.
const PROMPT_TOKENS_MAX: u64 = 600;
/// Same, for prompts made for the smallest models.
const SHORT_PROMPT_TOKENS_MAX: u64 = 160;

fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_dir() {
            continue;
        }
        for file in fs::read_dir(entry.path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/");
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found
}

fn catalog() -> Catalog {
    Catalog::parse(files()).unwrap()
}

fn render(
    template: &CompiledTemplate,
    audience: (&Slug, &AudienceSpec),
    seed: &Map<String, Value>,
    metadata: &BTreeMap<String, String>,
) -> String {
    let job = JobContext { name: "a test", seed: JobSeed(1), seq: 0, metadata };
    let context = RenderContext { audience: audience.0, audience_spec: audience.1, seed, job };
    template.render(&context).unwrap()
}

fn short() -> BTreeMap<String, String> {
    BTreeMap::from([("prompt".to_owned(), "short".to_owned())])
}

#[test]
fn holds_what_the_service_promises() {
    let catalog = catalog();
    let audiences: BTreeSet<&str> = catalog.audiences.keys().map(Slug::as_str).collect();
    let ladder = [
        "toddler",
        "preschool",
        "grade-school",
        "middle-school",
        "high-school",
        "college",
        "graduate",
    ];
    for (rank, name) in ladder.into_iter().enumerate() {
        assert_eq!(catalog.audiences[&name.parse().unwrap()].rank, Some(rank as i16), "{name}");
    }
    assert!(audiences.contains("general") && audiences.contains("professional"));
    let formats: BTreeSet<&str> =
        catalog.templates.values().map(|template| template.format.as_str()).collect();
    for format in
        ["textbook-chapter", "story", "how-to", "blog-post", "dialogue", "worked-problems"]
    {
        assert!(formats.contains(format), "{format}");
    }
    assert_eq!(catalog.audiences[&"toddler".parse().unwrap()].tokens.min, 30);
    assert_eq!(catalog.audiences[&"college".parse().unwrap()].tokens.min, 150);
}

#[test]
fn seeds_are_many_whole_and_unlike() {
    let catalog = catalog();
    let set = &catalog.seed_sets[&"starter-curriculum".parse().unwrap()];
    assert_eq!(set.license, "CC0-1.0");
    assert!(set.seeds.len() >= 120, "{} seeds", set.seeds.len());
    let fields = ["id", "topic", "subject", "strand", "level", "text", "everyday"];
    for field in ["id", "topic", "text", "everyday"] {
        let values: BTreeSet<&str> =
            set.seeds.iter().map(|seed| seed[field].as_str().unwrap()).collect();
        assert_eq!(values.len(), set.seeds.len(), "{field} comes twice");
    }
    let subjects: BTreeSet<&str> =
        set.seeds.iter().map(|seed| seed["subject"].as_str().unwrap()).collect();
    assert!(subjects.len() >= 10, "{subjects:?}");
    for seed in &set.seeds {
        assert!(seed.keys().map(String::as_str).eq(fields), "{seed:?}");
        assert!(seed["id"].as_str().unwrap().parse::<Slug>().is_ok(), "{seed:?}");
        let level: Slug = seed["level"].as_str().unwrap().parse().unwrap();
        assert!(catalog.audiences.contains_key(&level), "{level}");
        let text = seed["text"].as_str().unwrap();
        assert!(text.ends_with('.') && (40..=400).contains(&text.len()), "{text}");
        assert!(!text.contains("  ") && text.trim() == text, "{text}");
    }
}

#[test]
fn every_prompt_renders_for_every_audience_and_seed() {
    let catalog = catalog();
    let set = &catalog.seed_sets[&"starter-curriculum".parse().unwrap()];
    let bare = serde_json::from_str(r#"{"topic": "tides"}"#).unwrap();
    for (slug, spec) in &catalog.templates {
        let template = CompiledTemplate::parse(&spec.body).unwrap();
        let required: Vec<&str> = template.fields().required.iter().map(String::as_str).collect();
        assert_eq!(required, ["topic"], "{slug} works with the fields that every seed set has");
        for audience in &catalog.audiences {
            for seed in set.seeds.iter().chain([&bare]) {
                for (metadata, limit) in
                    [(BTreeMap::new(), PROMPT_TOKENS_MAX), (short(), SHORT_PROMPT_TOKENS_MAX)]
                {
                    let prompt = render(&template, audience, seed, &metadata);
                    let tokens = estimate_tokens(&prompt);
                    assert!(tokens <= limit, "{slug} for {}: {tokens} tokens", audience.0);
                    assert!(!prompt.contains("  ") && !prompt.contains("\n\n\n"), "{prompt:?}");
                    assert!(!prompt.contains("..") && !prompt.contains(" ."), "{prompt:?}");
                }
            }
        }
    }
}

#[test]
fn audiences_differ_in_what_they_say() {
    let catalog = catalog();
    let audiences: Vec<_> = catalog.audiences.iter().collect();
    let seed = &catalog.seed_sets[&"starter-curriculum".parse().unwrap()].seeds[40];
    for (index, one) in audiences.iter().enumerate() {
        for other in &audiences[..index] {
            assert_eq!(lint_audience_pair(one.1, other.1), None);
            for (slug, spec) in &catalog.templates {
                let template = CompiledTemplate::parse(&spec.body).unwrap();
                for metadata in [BTreeMap::new(), short()] {
                    let prompts =
                        [one, other].map(|audience| render(&template, *audience, seed, &metadata));
                    let alike = similarity(&prompts[0], &prompts[1]);
                    // A short prompt is mostly facts and task; only that it differs can be asked.
                    let limit = if metadata.is_empty() { PROMPT_SIMILARITY_MAX } else { 0.8 };
                    assert!(alike < limit, "{slug}: {} and {}: {alike:.2}", one.0, other.0);
                }
            }
        }
    }
}

#[test]
fn is_lint_clean() {
    let catalog = catalog();
    for (slug, spec) in &catalog.templates {
        assert_eq!(lint_template(spec), [], "{slug}");
        assert!(spec.description.is_some(), "{slug} says what it is good for");
    }
    for (slug, spec) in &catalog.audiences {
        assert_eq!(lint_audience(spec), [], "{slug}");
    }
}

#[test]
fn words_of_a_job_replace_the_audiences_own() {
    let catalog = catalog();
    let seed = serde_json::from_str(r#"{"topic": "tides"}"#).unwrap();
    let metadata = BTreeMap::from([("words".to_owned(), "60 to 120".to_owned())]);
    for (slug, spec) in &catalog.templates {
        let template = CompiledTemplate::parse(&spec.body).unwrap();
        for audience in &catalog.audiences {
            assert!(
                render(&template, audience, &seed, &metadata).ends_with("Length: 60 to 120 words."),
                "{slug}"
            );
        }
    }
}

#[test]
fn the_sample_job_fits_the_catalog() {
    let catalog = catalog();
    let job = &catalog.jobs[&"quickstart".parse().unwrap()];
    assert_eq!(job.documents, Some(24));
    let audiences: BTreeSet<&Slug> = job.recipe.iter().map(|line| &line.audience.slug).collect();
    assert_eq!(audiences.len(), 8);
    for line in &job.recipe {
        assert!(catalog.templates.contains_key(&line.template.slug));
        assert!(catalog.audiences.contains_key(&line.audience.slug));
    }
    job.check().unwrap();
}

#[test]
fn a_faulty_catalog_names_the_file() {
    let fault = |path: &str, content: &str| {
        let error = Catalog::parse([(path, content.as_bytes())]).unwrap_err();
        assert!(error.path.starts_with(path.split('.').next().unwrap()), "{error}");
        error.message
    };
    assert!(fault("audiences/x.toml", "title = 'X'").contains("missing field"));
    assert!(fault("audiences/X.toml", "").contains("a name is"));
    assert!(fault("prompts/x.tera", "no front matter").contains("---"));
    assert!(fault("prompts/x.tera", "---\nfrmat = 'a'\n---\nx").contains("frmat"));
    assert!(fault("seeds/x.ndjson", "{}\n[]\n").contains("line 2"));
    assert!(fault("seeds/x.ndjson", "{}\n").contains("missing"));
    assert!(
        fault("seeds/x.toml", "description='a'\nlicense='b'\nsource='c'").contains("not there")
    );
    assert!(fault("jobs/x.json", "{}").contains("missing field"));
    assert!(fault("other/x.txt", "").contains("is no audience"));
    let error = Catalog::parse([("audiences/x.toml", [0xff, 0xfe])]).unwrap_err();
    assert!(error.message.contains("UTF-8"));
}
