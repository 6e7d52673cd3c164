//! Splits and mixes, from files to a corpus.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use hornbook_corpus::{
    AssembleError, BuildManifest, BuildRequest, BuildSummary, CpuTime, NamedSource, ShardLimits,
    build,
};
use hornbook_records::CorpusParquetReader;
use hornbook_types::{AssemblySpec, CorpusRow, MixReport, MixSpec, ShardFormat};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Files of documents below a directory, and what to make of them.
struct Setting {
    named: Vec<NamedSource>,
    assembly: AssemblySpec,
    mix: Option<MixSpec>,
    threads: usize,
}

impl Setting {
    fn request(&self) -> BuildRequest<'_> {
        BuildRequest {
            name: "Mine",
            sources: &[],
            named: &self.named,
            benchmarks: &[],
            against: &[],
            assembly: self.assembly.clone(),
            mix: self.mix.clone(),
            gates: None,
            licenses: BTreeMap::new(),
            threads: self.threads,
            hornbook: "0.0.0",
            limits: ShardLimits { text_bytes: 40_000, row_group_bytes: 10_000 },
            tokenizer: None,
            on_progress: &|_| {},
            cpu: CpuTime::UNKNOWN,
            keep_going: &|| true,
        }
    }

    fn build(&self, out: &Path) -> BuildSummary {
        build(&self.request(), out).unwrap()
    }

    fn refused(&self, out: &Path) -> String {
        let error = build(&self.request(), out).unwrap_err();
        assert!(matches!(error, AssembleError::Request(_)), "{error}");
        error.to_string()
    }
}

fn setting(named: Vec<NamedSource>, assembly: Value, mix: Option<Value>) -> Setting {
    let mut assembly: AssemblySpec = serde_json::from_value(assembly).unwrap();
    assembly.format = vec![ShardFormat::Parquet];
    let mix = mix.map(|mix| serde_json::from_value(mix).unwrap());
    Setting { named, assembly, mix, threads: 2 }
}

/// A source of one file with the rows given.
fn source(dir: &Path, name: &str, rows: &[Value]) -> NamedSource {
    let path = dir.join(format!("{name}.jsonl"));
    let mut file = File::create(&path).unwrap();
    for row in rows {
        writeln!(file, "{row}").unwrap();
    }
    NamedSource { name: name.to_owned(), paths: vec![path] }
}

/// Documents of 10 to 109 tokens that have nothing in common.
fn rows(name: &str, count: usize) -> Vec<Value> {
    let row = |n: usize| {
        json!({
            "id": format!("{name}{n}"),
            "text": format!("The {name} text {n} tells of {} and of {}.", n * 7 + 1, n * 13 + 5),
            "token_length": 10 + (n * 37) % 100,
        })
    };
    (0..count).map(row).collect()
}

/// Rows of a split in the order of its shards.
fn split(out: &Path, name: &str) -> Vec<CorpusRow> {
    let mut shards: Vec<PathBuf> =
        fs::read_dir(out.join("data")).unwrap().map(|it| it.unwrap().path()).collect();
    shards.retain(|path| {
        path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-"))
    });
    shards.sort();
    let open = |path: PathBuf| CorpusParquetReader::open(File::open(path).unwrap()).unwrap();
    shards.into_iter().flat_map(open).map(Result::unwrap).collect()
}

fn manifest(out: &Path) -> BuildManifest {
    serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap()
}

fn report(out: &Path) -> MixReport {
    manifest(out).content.mix.unwrap()
}

fn tokens(rows: &[CorpusRow]) -> u64 {
    rows.iter().map(|row| u64::from(row.token_length)).sum()
}

fn ids(rows: &[CorpusRow]) -> BTreeSet<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

/// Every file below a directory with its bytes.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

#[test]
fn splits_are_files_configurations_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let splits = json!({"splits": {"train": 0.9, "validation": 0.1}});
    let mut setting = setting(vec![source(dir.path(), "a", &rows("a", 2_000))], splits, None);
    let summary = setting.build(&out);

    let (train, validation) = (split(&out, "train"), split(&out, "validation"));
    assert_eq!(train.len() + validation.len(), 2_000);
    assert!(ids(&train).is_disjoint(&ids(&validation)));
    let share = tokens(&validation) as f64 / summary.tokens as f64;
    assert!((share - 0.1).abs() <= 109.0 / summary.tokens as f64, "{share}");
    let counts = &manifest(&out).content.statistics.splits;
    assert_eq!(counts, &summary.splits);
    assert_eq!(
        (counts["train"].rows, counts["train"].tokens),
        (train.len() as u64, tokens(&train))
    );
    assert_eq!(counts["validation"].documents, validation.len() as u64);
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    let header = "  - split: train\n    path: data/train-*.parquet\n  - split: validation\n    \
                  path: data/validation-*.parquet\n";
    assert!(card.contains(header), "{card}");
    assert!(card.contains(&format!("| validation | 10 % | {} |", validation.len())), "{card}");
    // Without a mix rows stay in the order of the sources.
    assert!(train.windows(2).all(|pair| pair[0].seq < pair[1].seq));

    // Threads decide nothing.
    for threads in [1, 3] {
        setting.threads = threads;
        let again = dir.path().join(format!("again-{threads}"));
        setting.build(&again);
        assert_eq!(tree(&again), tree(&out), "{threads}");
    }
}

#[test]
fn documents_that_resemble_each_other_stand_in_one_split() {
    let dir = tempfile::tempdir().unwrap();
    // a and c each share most words with b, and too few with each other: a stays, b goes, c stays.
    let mut documents = Vec::new();
    for chain in 0..150 {
        let words: Vec<String> = (0..120).map(|word| format!("w{chain}x{word}")).collect();
        for (name, from) in [("a", 0), ("b", 10), ("c", 20)] {
            let text = words[from..from + 100].join(" ");
            documents.push(json!({"id": format!("{name}{chain}"), "text": text}));
        }
    }
    let sources = vec![source(dir.path(), "a", &documents)];
    let assembly = json!({"dedup": "near", "splits": {"train": 0.5, "validation": 0.5}});
    let out = dir.path().join("out");
    let summary = setting(sources, assembly, None).build(&out);
    assert_eq!(summary.removed, BTreeMap::from([("duplicate_near".to_owned(), 150)]));
    let (train, validation) = (ids(&split(&out, "train")), ids(&split(&out, "validation")));
    assert_eq!(train.len() + validation.len(), 300);
    assert!(train.len().abs_diff(150) < 10, "{}", train.len());
    for chain in 0..150 {
        let is_whole = |ids: &BTreeSet<String>| {
            ids.contains(&format!("a{chain}")) == ids.contains(&format!("c{chain}"))
        };
        assert!(is_whole(&train) && is_whole(&validation), "{chain}");
    }
}

#[test]
fn equal_texts_stand_in_one_split_where_duplicates_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut documents = rows("a", 300);
    for (n, mut copy) in rows("a", 300).into_iter().enumerate() {
        copy["id"] = json!(format!("copy{n}"));
        documents.push(copy);
    }
    let sources = vec![source(dir.path(), "a", &documents)];
    let assembly = json!({"dedup": "none", "splits": {"train": 0.5, "test": 0.5}});
    let out = dir.path().join("out");
    setting(sources, assembly, None).build(&out);
    let texts = |name| split(&out, name).into_iter().map(|row| row.text).collect::<BTreeSet<_>>();
    assert_eq!((split(&out, "train").len() + split(&out, "test").len(), 600), (600, 600));
    assert!(texts("train").is_disjoint(&texts("test")));
}

#[test]
fn annealing_has_the_best_scores_or_else_the_widest_margins() {
    let dir = tempfile::tempdir().unwrap();
    let assembly = json!({"splits": {"train": 0.7, "validation": 0.1, "annealing": 0.2}});
    for (name, by) in [("scored", "score"), ("measured", "prompt_echo")] {
        let mut documents = rows(name, 500);
        for (n, document) in documents.iter_mut().enumerate() {
            let rank = (n * 197) % 500;
            let number = if by == "score" { rank as f64 } else { 0.3 - rank as f64 / 2_000.0 };
            document["scores"] = json!({by: number});
            document["token_length"] = json!(20);
            document["seed_data"] = json!({"rank": rank});
        }
        let sources = vec![source(dir.path(), name, &documents)];
        let out = dir.path().join(format!("out-{name}"));
        setting(sources, assembly.clone(), None).build(&out);
        let best = split(&out, "annealing");
        let rank = |row: &CorpusRow| {
            let seed: Value = serde_json::from_str(&row.seed_data).unwrap();
            seed["rank"].as_u64().unwrap()
        };
        assert_eq!(best.len(), 100, "{name}");
        assert!(best.iter().all(|row| rank(row) >= 400), "{name}");
        assert_eq!(split(&out, "validation").len(), 50);
    }
}

#[test]
fn a_mix_has_its_shares_and_accounts_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let named = vec![
        source(dir.path(), "web", &rows("web", 900)),
        source(dir.path(), "books", &rows("books", 300)),
        source(dir.path(), "few", &rows("few", 40)),
    ];
    let mix = json!({"seed": "7", "sources": [
        {"name": "web", "weight": 0.7}, {"name": "books", "weight": 0.3}, {"name": "few", "tokens": 500}
    ]});
    let mut setting = setting(named, json!({}), Some(mix));
    let out = dir.path().join("out");
    let summary = setting.build(&out);

    let rows = split(&out, "train");
    let report = report(&out);
    let by = |name: &str| -> u64 {
        let of = rows.iter().filter(|row| row.id.starts_with(name));
        of.map(|row| u64::from(row.token_length)).sum()
    };
    // All books, and seven thirds of that of the web; half a document decides.
    let (web, books, few) = (by("web"), by("books"), by("few"));
    assert_eq!(books, report.lines[1].available_tokens);
    assert!(web.abs_diff(books * 7 / 3) <= 109, "{web} {books}");
    assert!(few.abs_diff(500) <= 109, "{few}");
    assert_eq!(report.lines.iter().map(|line| line.tokens).collect::<Vec<_>>(), [web, books, few]);
    assert_eq!(report.tokens, summary.tokens);
    assert_eq!(summary.tokens, tokens(&rows));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    // Whatever is not a row has a reason.
    assert_eq!(summary.removed.keys().collect::<Vec<_>>(), ["mix_surplus"]);
    assert_eq!(summary.rows + summary.removed["mix_surplus"], 1_240);
    let removed = fs::read_to_string(out.join("removed.jsonl")).unwrap();
    assert_eq!(removed.lines().count() as u64, summary.removed["mix_surplus"]);
    // Rows are shuffled: each tenth of the corpus has about its share of books.
    let tenth = rows.len() / 10;
    for (at, part) in rows.chunks(tenth).take(10).enumerate() {
        let of = part.iter().filter(|row| row.id.starts_with("books")).count();
        assert!((tenth / 6..tenth / 2).contains(&of), "{of} of {tenth} in tenth {at}");
    }

    // Another seed draws others and orders them otherwise; the same one does not.
    setting.threads = 1;
    let same = dir.path().join("same");
    setting.build(&same);
    assert_eq!(tree(&same), tree(&out));
    setting.mix.as_mut().unwrap().seed = "8".parse().unwrap();
    let other = dir.path().join("other");
    setting.build(&other);
    let others = split(&other, "train");
    assert_ne!(ids(&others), ids(&rows));
    assert!(tokens(&others).abs_diff(tokens(&rows)) <= 300);
}

#[test]
fn repetition_is_told_bounded_and_kept_out_of_what_is_held_out() {
    let dir = tempfile::tempdir().unwrap();
    let named = vec![
        source(dir.path(), "web", &rows("web", 900)),
        source(dir.path(), "books", &rows("books", 100)),
        source(dir.path(), "rare", &rows("rare", 10)),
    ];
    let mix = json!({"tokens": 40_000, "sources": [
        {"name": "web", "weight": 0.5},
        {"name": "books", "weight": 0.4, "max_epochs": 6},
        {"name": "rare", "weight": 0.1, "max_epochs": 2}
    ]});
    let splits = json!({"splits": {"train": 0.95, "validation": 0.05}});
    let out = dir.path().join("out");
    let summary = setting(named, splits, Some(mix)).build(&out);
    let report = report(&out);
    let [web, books, rare] = &report.lines[..] else { panic!("{report:?}") };
    assert_eq!(
        (web.wanted_tokens, books.wanted_tokens, rare.wanted_tokens),
        (20_000, 16_000, 4_000)
    );
    assert!(web.tokens.abs_diff(20_000) <= 109 && books.tokens.abs_diff(16_000) <= 109);
    assert_eq!((web.epochs <= 1.0, web.rows == web.documents), (true, true));
    assert!((2.0..4.0).contains(&books.epochs), "{books:?}");
    assert_eq!(rare.shortfall_tokens, 4_000 - rare.tokens);
    assert!(rare.tokens <= 2 * rare.available_tokens);
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].starts_with("'rare' has"), "{:?}", report.warnings);

    let (train, validation) = (split(&out, "train"), split(&out, "validation"));
    let mut all = train.clone();
    all.extend(validation.clone());
    assert_eq!(ids(&all).len(), all.len(), "every row has a name of its own");
    assert_eq!(tokens(&all), summary.tokens);
    let texts: BTreeSet<&str> = validation.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts.len(), validation.len(), "nothing is held out twice");
    assert!(train.iter().all(|row| !texts.contains(row.text.as_str())));
    let again: Vec<&CorpusRow> = train.iter().filter(|row| row.id.contains('+')).collect();
    assert_eq!(summary.rows, all.len() as u64);
    assert_eq!(manifest(&out).content.counts.repeated, again.len() as u64);
    for row in &again {
        let scores: Value = serde_json::from_str(&row.scores).unwrap();
        let (id, time) = row.id.split_once('+').unwrap();
        assert_eq!(scores["epoch"].to_string(), time);
        // Every time comes after the one before, with the rest of its source between.
        let place = |id: &str| train.iter().position(|row| row.id == id).unwrap();
        let before = if time == "2" {
            id.to_owned()
        } else {
            format!("{id}+{}", time.parse::<u32>().unwrap() - 1)
        };
        assert!(place(&before) < place(&row.id), "{}", row.id);
    }
    assert!(again.iter().all(|row| !row.id.starts_with("web")));
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(card.contains("| repeated | ") && card.contains("**Note**: 'rare' has"), "{card}");
}

#[test]
fn more_than_four_epochs_are_warned_of_with_their_source() {
    let dir = tempfile::tempdir().unwrap();
    let named = vec![source(dir.path(), "a", &rows("a", 50))];
    let mix = json!({"sources": [{"name": "a", "max_epochs": 5}]});
    let out = dir.path().join("out");
    let summary = setting(named, json!({}), Some(mix)).build(&out);
    assert_eq!(summary.rows, 250);
    let report = report(&out);
    assert!((report.lines[0].epochs - 5.0).abs() < 1e-9);
    assert!(report.warnings[0].contains("Muennighoff et al. 2023"), "{:?}", report.warnings);
}

#[test]
fn cosmopedia_is_mixed_by_audience() {
    let dir = tempfile::tempdir().unwrap();
    let audiences = ["middle-school", "college", "toddler", "general"];
    let named = ["one", "two"].map(|name| {
        let mut documents = rows(name, 800);
        for (n, document) in documents.iter_mut().enumerate() {
            document["audience"] = json!(audiences[n % 4]);
        }
        source(dir.path(), name, &documents)
    });
    let mix = json!({"preset": "cosmopedia-v2", "tokens": 20_000, "sources": [{"name": "one"}, {"name": "two"}]});
    let out = dir.path().join("out");
    setting(named.into(), json!({}), Some(mix)).build(&out);
    let rows = split(&out, "train");
    let of = |names: &[&str]| -> u64 {
        let of = rows.iter().filter(|row| names.contains(&row.audience.as_str()));
        of.map(|row| u64::from(row.token_length)).sum()
    };
    for (names, share) in
        [(&audiences[..1], 8_000), (&audiences[1..2], 6_000), (&audiences[2..], 6_000)]
    {
        assert!(of(names).abs_diff(share) <= 109, "{names:?}: {}", of(names));
    }
    // The manifest has what the preset stands for.
    let lines = report(&out).lines;
    let names: Vec<&str> = lines.iter().map(|line| line.asked.name.as_str()).collect();
    assert_eq!(names, ["middle-school", "college", "other"]);
    assert!(
        lines
            .iter()
            .all(|line| line.asked.sources == ["one", "two"] && !line.asked.filter.is_empty())
    );
}

#[test]
fn filters_leave_out_what_fits_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut documents = rows("a", 400);
    for (n, document) in documents.iter_mut().enumerate() {
        document["format"] = json!(["story", "faq"][n % 2]);
        document["score"] = json!(n % 5);
    }
    let named = vec![source(dir.path(), "a", &documents)];
    let mix = json!({"sources": [
        {"name": "a", "filter": {"except": {"format": ["faq"]}, "min_score": 3.0}}
    ]});
    let out = dir.path().join("out");
    let summary = setting(named, json!({}), Some(mix)).build(&out);
    assert_eq!(summary.rows, 80);
    assert_eq!(summary.removed, BTreeMap::from([("not_in_mix".to_owned(), 320)]));
    assert!(split(&out, "train").iter().all(|row| row.format == "story"));
}

#[test]
fn what_cannot_be_mixed_is_named_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let here = |name: &str, count| source(dir.path(), name, &rows(name, count));
    let out = dir.path().join("out");
    let cases = [
        (
            json!({"sources": [{"name": "a"}, {"name": "b"}]}),
            vec![here("a", 3)],
            "a source 'b', and no files",
        ),
        (json!({"sources": [{"name": "a"}]}), vec![here("a", 3), here("b", 3)], "files for 'b'"),
        (
            json!({"sources": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]}),
            vec![here("a", 3), here("b", 0)],
            "nothing is there for 'b'",
        ),
        (
            json!({"sources": [{"name": "a", "filter": {"only": {"audience": ["nobody"]}}}]}),
            vec![here("a", 3)],
            "nothing is there for 'a'",
        ),
    ];
    for (mix, named, expected) in cases {
        let error = setting(named, json!({}), Some(mix)).refused(&out);
        assert!(error.contains(expected), "{error}");
        assert!(!out.exists());
    }
    let mut unnamed =
        setting(vec![here("a", 3)], json!({}), Some(json!({"sources": [{"name": "a"}]})));
    let files = unnamed.named.remove(0).paths;
    let error = build(&BuildRequest { sources: &files, ..unnamed.request() }, &out).unwrap_err();
    assert!(error.to_string().contains("needs a name for every source"), "{error}");
}

#[test]
fn a_mix_that_was_stopped_goes_on_to_the_same_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let named =
        vec![source(dir.path(), "a", &rows("a", 400)), source(dir.path(), "b", &rows("b", 400))];
    let mix = json!({"sources": [{"name": "a", "weight": 2}, {"name": "b", "weight": 1, "max_epochs": 3}]});
    let splits = json!({"dedup": "near", "splits": {"train": 0.9, "validation": 0.1}});
    let setting = setting(named, splits, Some(mix));
    let whole = dir.path().join("whole");
    setting.build(&whole);
    let out = dir.path().join("out");
    let mut stops = 0;
    for patience in (1..).step_by(97) {
        let left = AtomicUsize::new(patience);
        let keep_going = || left.fetch_sub(1, Ordering::Relaxed) > 1;
        match build(&BuildRequest { keep_going: &keep_going, ..setting.request() }, &out) {
            Err(AssembleError::Stopped) => stops += 1,
            done => {
                done.unwrap();
                break;
            }
        }
        assert!(!out.exists());
    }
    assert!(stops > 3, "{stops}");
    assert_eq!(tree(&out), tree(&whole));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn shares_hold_and_nothing_is_lost_whatever_the_mix(
        sizes in proptest::collection::vec(1_usize..120, 1..4),
        weights in proptest::collection::vec(1_u32..20, 4),
        epochs in proptest::collection::vec(1_u32..5, 4),
        total in proptest::option::of(50_u64..20_000),
        validation in proptest::option::of(0.01_f64..0.3),
        near in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let name = |at: usize| ["a", "b", "c"][at];
        let named: Vec<NamedSource> =
            sizes.iter().enumerate().map(|(at, &size)| source(dir.path(), name(at), &rows(name(at), size))).collect();
        let sources: Vec<Value> = (0..sizes.len())
            .map(|at| json!({"name": name(at), "weight": weights[at], "max_epochs": epochs[at]}))
            .collect();
        let mut assembly = json!({"dedup": if near { "near" } else { "exact" }});
        if let Some(share) = validation {
            assembly["splits"] = json!({"train": 1.0 - share, "validation": share});
        }
        let mut setting = setting(named, assembly, Some(json!({"sources": sources, "tokens": total})));
        let out = dir.path().join("out");
        let summary = setting.build(&out);
        let report = report(&out);
        for line in &report.lines {
            prop_assert!(line.tokens + line.shortfall_tokens + 109 >= line.wanted_tokens, "{line:?}");
            prop_assert!(line.tokens <= line.wanted_tokens + 109, "{line:?}");
            prop_assert!(line.epochs <= f64::from(line.asked.max_epochs) + 1e-3, "{line:?}");
        }
        let mut all = split(&out, "train");
        if validation.is_some() {
            all.extend(split(&out, "validation"));
        }
        prop_assert_eq!(all.len() as u64, summary.rows);
        prop_assert_eq!(tokens(&all), report.tokens);
        prop_assert_eq!(ids(&all).len(), all.len());
        let different = all.iter().filter(|row| !row.id.contains('+')).count() as u64;
        let removed: u64 = summary.removed.values().sum();
        prop_assert_eq!(different + removed, sizes.iter().sum::<usize>() as u64);
        setting.threads = 1;
        let again = dir.path().join("again");
        setting.build(&again);
        prop_assert_eq!(tree(&again), tree(&out));
    }
}
