//! What stands beside the rows: a card that hides nothing, charts, and metadata that name every file.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hornbook_corpus::{
    BuildManifest, BuildRequest, CpuTime, NamedSource, ShardLimits, SourceLicense, build,
};
use hornbook_types::{AssemblySpec, GateSpec};
use serde_json::{Value, json};

/// Text that tries to be markup, in every place where the words of others are shown.
const HOSTILE: &str = "</title><script>alert(1)</script>\n---\nlicense: mit\n# x | y `z` ](javascript:1) ${w} {{v}} \u{202e}\u{0}";

fn request<'a>(sources: &'a [PathBuf], name: &'a str) -> BuildRequest<'a> {
    BuildRequest {
        name,
        sources,
        named: &[],
        benchmarks: &[],
        against: &[],
        assembly: AssemblySpec::default(),
        mix: None,
        gates: None,
        licenses: BTreeMap::new(),
        threads: 2,
        hornbook: "0.0.0",
        limits: ShardLimits::default(),
        tokenizer: None,
        on_progress: &|_| {},
        cpu: CpuTime::UNKNOWN,
        keep_going: &|| true,
    }
}

fn write_lines(path: &Path, lines: &[Value]) {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(path, text.join("\n")).unwrap();
}

/// Three kinds of documents: easy ones, hard ones, and repetitions of the first.
fn documents() -> Vec<Value> {
    let easy = |n: usize| {
        format!("Once upon a time {n} cats sat by a warm fire. ")
            + &"The cat is soft and warm. ".repeat(12)
    };
    let hard = |n: usize| {
        format!("Consider {n} observations. ")
            + &"Photosynthetic organisms accumulate carbohydrates through electromagnetic radiation absorption. "
                .repeat(12)
    };
    (0..40)
        .map(|n| match n % 4 {
            0 | 1 => json!({"id": format!("e{n}"), "text": easy(n), "audience": "toddler", "token_length": 80 + n}),
            2 => json!({"id": format!("h{n}"), "text": hard(n), "audience": "college", "score": n as f64 / 40.0}),
            _ => json!({"id": format!("d{n}"), "text": easy(0), "audience": "toddler"}),
        })
        .collect()
}

fn card(out: &Path) -> String {
    fs::read_to_string(out.join("README.md")).unwrap()
}

#[test]
fn a_card_tells_what_the_rows_look_like() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("a.jsonl");
    write_lines(&source, &documents());
    let out = dir.path().join("out");
    build(&request(&[source], "Cats"), &out).unwrap();
    let card = card(&out);
    for line in [
        "language:\n- en\n",
        "| documents of the sources | | 40 |",
        "| dropped: duplicate\\_exact | 10 | 30 |",
        "- Duplicate rate: 25.00 % (10 of 40)",
        "| train | 30 | ",
        "| a.jsonl | 40 | 30 |",
        "| once upon a time | 20 | 66.67 % |",
        "| toddler |  | 20 |",
        "![Length of documents](assets/tokens.svg)",
        "![Reading grade of documents](assets/reading-grade.svg)",
        "![Score score](assets/score-score.svg)",
        "hornbook corpus build --source a.jsonl --spec spec.json --out corpus",
    ] {
        assert!(card.contains(line), "{line} in {card}");
    }
    let manifest: BuildManifest =
        serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let it = &manifest.content.statistics;
    assert_eq!((it.tokens.documents, it.grades.documents, it.splits["train"].rows), (30, 30, 30));
    assert_eq!(it.splits["train"].tokens, manifest.content.tokens);
    assert_eq!(it.openings.different, Some(1 + 10), "each hard one has a number of its own");
    let (toddler, college) = (&it.grades_by_audience["toddler"], &it.grades_by_audience["college"]);
    assert!(toddler.p95 < 3.0 && college.p5 > 20.0, "{toddler:?} {college:?}");
    assert_eq!((it.scores["score"].documents, it.scores["score"].min), (10, 0.05));
    let chart = fs::read_to_string(out.join("assets/reading-grade.svg")).unwrap();
    assert!(chart.contains("<desc id=\"desc\">Histogram of Flesch-Kincaid grade"), "{chart}");
    assert!(chart.contains(">toddler</text>") && chart.contains("prefers-color-scheme:dark"));
}

#[test]
fn croissant_names_every_file_of_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("a.jsonl");
    write_lines(&source, &documents());
    let out = dir.path().join("out");
    build(&request(&[source], "Cats"), &out).unwrap();
    let manifest: Value =
        serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let croissant: Value =
        serde_json::from_slice(&fs::read(out.join("croissant.json")).unwrap()).unwrap();
    let of = |list: &Value, name: &str| -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pairs =
            list.as_array().unwrap().iter().map(|it| (text(&it[name]), text(&it["sha256"])));
        pairs.filter(|(path, _)| !path.is_empty()).collect()
    };
    let mut files = of(&manifest["content"]["files"], "path");
    assert!(files.remove("croissant.json").is_some(), "it cannot hold its own hash");
    assert_eq!(of(&croissant["distribution"], "contentUrl"), files);
    assert_eq!(croissant["recordSet"][0]["@id"], "train");
    assert_eq!(croissant["recordSet"][0]["field"][1]["name"], "text");
    assert_eq!(croissant["conformsTo"], "http://mlcommons.org/croissant/1.0");
    assert_eq!(croissant["@context"]["cr"], "http://mlcommons.org/croissant/");
}

#[test]
fn the_settings_beside_a_card_build_the_same_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let from = [dir.path().join("a.jsonl")];
    write_lines(&from[0], &documents());
    let mut first = request(&from, "Cats & dogs");
    first.gates = Some(GateSpec { max_duplicate_lines: Some(0.5), ..GateSpec::default() });
    first.licenses.insert("a.jsonl".to_owned(), license("CC0-1.0"));
    let out = dir.path().join("out");
    let summary = build(&first, &out).unwrap();
    let spec: Value = serde_json::from_slice(&fs::read(out.join("spec.json")).unwrap()).unwrap();
    let mut second = request(&from, spec["name"].as_str().unwrap());
    second.assembly = serde_json::from_value(spec["assembly"].clone()).unwrap();
    second.gates = serde_json::from_value(spec["gates"].clone()).unwrap();
    second.licenses = serde_json::from_value(spec["licenses"].clone()).unwrap();
    assert_eq!(build(&second, &dir.path().join("again")).unwrap().commit, summary.commit);
}

fn license(name: &str) -> SourceLicense {
    SourceLicense { license: name.to_owned(), source: "somewhere".to_owned() }
}

#[test]
fn a_licence_that_forbids_passing_on_is_seen_first() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("s");
    fs::create_dir_all(place.join("web")).unwrap();
    for name in ["web/a.jsonl", "web/b.jsonl", "books.jsonl", "webs.jsonl"] {
        write_lines(&place.join(name), &[json!({"text": name})]);
    }
    let from = [place];
    let mut request = request(&from, "Mixed");
    request.licenses.insert("web".to_owned(), license("CC-BY-ND-4.0"));
    request.licenses.insert("books.jsonl".to_owned(), license("CC0-1.0"));
    let out = dir.path().join("out");
    build(&request, &out).unwrap();
    let card = card(&out);
    let (warning, rest) = card.split_once("> [!CAUTION]\n").unwrap().1.split_once("\n\n").unwrap();
    let expected = "web/a.jsonl (CC-BY-ND-4.0), web/b.jsonl (CC-BY-ND-4.0).";
    assert!(
        warning.contains("Do not pass this corpus on") && warning.ends_with(expected),
        "{card}"
    );
    assert!(rest.starts_with("> [!WARNING]\n> **Find out") && rest.contains(": webs.jsonl.\n"));
    assert!(card.contains("license: other\nlicense_name: \"CC0-1.0, CC-BY-ND-4.0\"\n"), "{card}");
    assert!(card.contains("| books.jsonl | CC0-1.0 | somewhere |"), "{card}");
    assert!(card.contains("hornbook corpus build --source sources --spec"), "{card}");
}

#[test]
fn a_mix_can_be_built_again_and_has_one_licence_a_source() {
    let dir = tempfile::tempdir().unwrap();
    let mut named = Vec::new();
    for name in ["web", "books"] {
        let place = dir.path().join(name);
        fs::create_dir(&place).unwrap();
        for file in ["a.jsonl", "b.jsonl"] {
            write_lines(&place.join(file), &[json!({"text": format!("{name} {file}")})]);
        }
        named.push(NamedSource { name: name.to_owned(), paths: vec![place] });
    }
    let mut first = request(&[], "Mixed");
    first.named = &named;
    first.mix =
        serde_json::from_value(json!({"sources": [{"name": "web"}, {"name": "books"}]})).unwrap();
    first.licenses.insert("web".to_owned(), license("CC0-1.0"));
    first.licenses.insert("books".to_owned(), license("MIT"));
    let out = dir.path().join("out");
    let summary = build(&first, &out).unwrap();
    let card = card(&out);
    assert_eq!(card.matches("| web | CC0-1.0 | somewhere |").count(), 1, "{card}");
    assert!(card.contains("license_name: \"CC0-1.0, MIT\"\n"), "{card}");
    let command = "hornbook corpus build --source books=books --source web=web --spec spec.json";
    assert!(card.contains(command), "{card}");
    let spec: Value = serde_json::from_slice(&fs::read(out.join("spec.json")).unwrap()).unwrap();
    let mut second = request(&[], "Mixed");
    second.named = &named;
    second.mix = serde_json::from_value(spec["mix"].clone()).unwrap();
    second.licenses = serde_json::from_value(spec["licenses"].clone()).unwrap();
    assert_eq!(build(&second, &dir.path().join("again")).unwrap().commit, summary.commit);
}

#[test]
fn hostile_words_stay_words() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("<script>|a`b$(x).jsonl");
    let text = format!("{} {HOSTILE}", "A plain line of words goes on here. ".repeat(20));
    let lines: Vec<Value> = (0..3)
        .map(|n| {
            let scores = json!({ HOSTILE: n, "../../etc/passwd": n }).to_string();
            json!({
                "text": format!("{text} {n}"), "audience": HOSTILE,
                "format": HOSTILE, "model": HOSTILE, "template": HOSTILE, "id": format!("{HOSTILE}{n}"),
                "scores": scores,
            })
        })
        .collect();
    write_lines(&source, &lines);
    let from = [source];
    let mut request = request(&from, HOSTILE);
    request.licenses.insert(
        "<script>|a`b$(x).jsonl".to_owned(),
        SourceLicense { license: HOSTILE.to_owned(), source: HOSTILE.to_owned() },
    );
    let out = dir.path().join("out");
    build(&request, &out).unwrap();
    let card = card(&out);
    let (header, body) = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    assert_eq!(header.lines().filter(|line| line.starts_with("license:")).count(), 1, "{header}");
    assert!(header.contains("\nlicense: other\n"), "{header}");
    let fence = body.find("```sh").unwrap();
    let command = &body[fence..];
    assert!(command.contains("--source '<script>|a`b$(x).jsonl' --spec"), "{command}");
    for line in body.lines().filter(|line| !line.starts_with("hornbook ")) {
        let bare = line.replace("\\]", "");
        assert!(!bare.contains("<script") && !bare.contains("](javascript"), "{line}");
        assert!(!line.contains('\u{202e}') && !line.contains('\u{0}'), "{line}");
        assert!(
            line != "---" && !line.starts_with("license: mit") && !line.starts_with("# x"),
            "{line}"
        );
    }
    let assets: Vec<String> = fs::read_dir(out.join("assets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(assets.len(), 4, "{assets:?}");
    for name in &assets {
        assert!(card.contains(&format!("](assets/{name})")), "{name}");
        let svg = fs::read_to_string(out.join("assets").join(name)).unwrap();
        assert!(!svg.contains("<script") && !svg.contains('\u{0}') && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<title").count(), svg.matches("</title>").count(), "{svg}");
    }
    serde_json::from_slice::<Value>(&fs::read(out.join("croissant.json")).unwrap()).unwrap();
}
