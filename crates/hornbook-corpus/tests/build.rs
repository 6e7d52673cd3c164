//! From files to a corpus: what stays, what goes and why, and the same bytes every time.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use hornbook_corpus::{
    AssembleError, BuildManifest, BuildRequest, BuildSummary, CpuTime, ShardLimits, Work, build,
};
use hornbook_records::{CorpusParquetReader, CorpusParquetWriter, JsonlZstWriter};
use hornbook_types::{AssemblySpec, CorpusRow, DedupMode, GatePreset, GateSpec};
use serde_json::{Value, json};

fn request<'a>(sources: &'a [PathBuf], threads: usize) -> BuildRequest<'a> {
    BuildRequest {
        name: "Mine",
        sources,
        named: &[],
        benchmarks: &[],
        against: &[],
        assembly: AssemblySpec::default(),
        mix: None,
        gates: None,
        licenses: BTreeMap::new(),
        threads,
        hornbook: "0.0.0",
        limits: ShardLimits { text_bytes: 40_000, row_group_bytes: 10_000 },
        tokenizer: None,
        on_progress: &|_| {},
        cpu: CpuTime::UNKNOWN,
        keep_going: &|| true,
    }
}

fn write_lines(path: &Path, rows: &[Value]) {
    let mut file = File::create(path).unwrap();
    for row in rows {
        writeln!(file, "{row}").unwrap();
    }
}

fn rows_of(out: &Path) -> Vec<CorpusRow> {
    let mut shards: Vec<_> =
        fs::read_dir(out.join("data")).unwrap().map(|it| it.unwrap().path()).collect();
    shards.retain(|path| path.extension().is_some_and(|it| it == "parquet"));
    shards.sort();
    let open = |path: PathBuf| CorpusParquetReader::open(File::open(path).unwrap()).unwrap();
    shards.into_iter().flat_map(open).map(Result::unwrap).collect()
}

fn removed(out: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(out.join("removed.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every file below a directory with its bytes.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// A text that no other number has.
fn text(number: usize) -> String {
    format!("Text {number} tells of {} and of {}.", number * 7 + 1, number * 13 + 5)
}

/// A directory with files of every kind, and the documents that repeat others.
fn sources(dir: &Path) -> PathBuf {
    let place = dir.join("sources");
    fs::create_dir_all(place.join("deep")).unwrap();
    let lines: Vec<Value> = (0..1_500)
        .map(|number| {
            let same = if number % 10 == 9 { number - 5 } else { number };
            json!({"id": format!("a{number}"), "text": text(same).to_uppercase(), "junk": [number]})
        })
        .collect();
    write_lines(&place.join("a.jsonl"), &lines);
    let mut packed =
        JsonlZstWriter::new(File::create(place.join("deep/b.jsonl.zst")).unwrap()).unwrap();
    for number in 1_000..2_500 {
        packed.write(&json!({"text": text(number), "score": number})).unwrap();
    }
    packed.finish().unwrap();
    let mut columns =
        CorpusParquetWriter::new(File::create(place.join("c.parquet")).unwrap()).unwrap();
    for number in 2_400..3_000 {
        columns.write(row(number)).unwrap();
    }
    columns.finish().unwrap();
    fs::write(place.join("notes.txt"), "no source").unwrap();
    fs::write(place.join(".hidden.jsonl"), "no source").unwrap();
    place
}

fn row(number: usize) -> CorpusRow {
    CorpusRow {
        prompt: "Write.".to_owned(),
        text: text(number),
        token_length: 9,
        audience: "college".to_owned(),
        format: "story".to_owned(),
        seed_data: "{\"topic\":1}".to_owned(),
        id: format!("c{number}"),
        seq: number as u64,
        template: "story@1".to_owned(),
        endpoint: "local".to_owned(),
        model: "smol".to_owned(),
        sampling_seed: "18446744073709551615".to_owned(),
        finish_reason: "stop".to_owned(),
        scores: "{\"x\":1}".to_owned(),
    }
}

#[test]
fn every_document_is_a_row_or_has_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let summary = build(&request(&[sources(dir.path())], 2), &out).unwrap();

    // 150 repeat one in their own file; of the 500 + 100 that two files share, those with a score stay.
    let rows = rows_of(&out);
    assert_eq!((summary.documents, summary.rows), (3_600, 3_000 - 150 + 50));
    assert_eq!(rows.len() as u64, summary.rows);
    assert_eq!(summary.tokens, rows.iter().map(|row| u64::from(row.token_length)).sum::<u64>());
    let removed = removed(&out);
    assert_eq!(summary.removed, BTreeMap::from([("duplicate_exact".to_owned(), 700)]));
    assert_eq!(removed.len(), 700);
    let ids: BTreeMap<&str, &CorpusRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    assert_eq!(ids.len(), rows.len());
    for line in &removed {
        assert_eq!(line["reason"], "duplicate_exact");
        assert!(!ids.contains_key(line["id"].as_str().unwrap()), "{line}");
        assert!(ids.contains_key(line["root"].as_str().unwrap()), "{line}");
    }
    assert_eq!(removed[0], json!({"id": "a9", "reason": "duplicate_exact", "root": "a4"}));
    let scored = json!({"id": "a1000", "reason": "duplicate_exact", "root": "deep/b.jsonl.zst#0"});
    assert!(removed.contains(&scored));
    assert_eq!(ids["deep/b.jsonl.zst#7"].scores, "{\"score\":1007.0}");

    // Files come in the order of their paths, and their known columns are kept.
    let row = ids["c2999"];
    assert_eq!(row.seq, 1_500 + 600 - 1, "a.jsonl, c.parquet, deep/b.jsonl.zst");
    let own = super_row(row);
    assert_eq!(own, self::row(2_999));
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    assert!(seqs.is_sorted());
    assert!(!fs::exists(dir.path().join(".out.building")).unwrap());
}

/// The row with the number that its file gave it.
fn super_row(row: &CorpusRow) -> CorpusRow {
    CorpusRow { seq: row.id[1..].parse().unwrap(), ..row.clone() }
}

#[test]
fn the_manifest_vouches_for_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    build(&request(&[sources(dir.path())], 2), &out).unwrap();
    let tree = tree(&out);
    let manifest: BuildManifest = serde_json::from_slice(&tree["manifest.json"]).unwrap();
    assert_eq!(manifest.content.files.len() + 1, tree.len());
    for file in &manifest.content.files {
        use sha2::Digest as _;
        assert_eq!(file.sha256, hex::encode(sha2::Sha256::digest(&tree[&file.path])));
    }
    let counts = &manifest.content.counts;
    assert_eq!(counts.rows + counts.dropped["duplicate_exact"], counts.accepted);
    assert_eq!(counts.accepted, 3_600);
    assert_eq!(
        manifest.content.token_counts,
        "the sources' own; estimated as bytes / 4 for 3000 documents without"
    );
    let card = String::from_utf8(tree["README.md"].clone()).unwrap();
    assert!(
        card.contains("| a.jsonl | `") && card.contains("path: data/train-*.parquet"),
        "{card}"
    );
    assert!(!card.contains(dir.path().to_str().unwrap()), "{card}");
}

#[test]
fn threads_and_places_make_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let from = [sources(dir.path())];
    let elsewhere = tempfile::tempdir().unwrap();
    let also_from = [sources(elsewhere.path())];
    let mut trees = Vec::new();
    for (name, from, threads) in [("a", &from, 1), ("b", &from, 2), ("c", &also_from, 5)] {
        let out = dir.path().join(name);
        build(&request(from, threads), &out).unwrap();
        trees.push(tree(&out));
    }
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);
}

#[test]
fn a_stopped_build_publishes_nothing_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let from = [sources(dir.path())];
    let whole = dir.path().join("whole");
    let reference = build(&request(&from, 1), &whole).unwrap();
    let asked = AtomicUsize::new(0);
    build(
        &BuildRequest {
            keep_going: &|| asked.fetch_add(1, Ordering::Relaxed) < usize::MAX,
            ..request(&from, 1)
        },
        &dir.path().join("counted"),
    )
    .unwrap();
    let times = asked.into_inner();
    for after in [0, 1, 2, 3, 5, times / 2, times - 1] {
        let out = dir.path().join(format!("stopped-{after}"));
        let left = AtomicUsize::new(after);
        let stop = || {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
        };
        let stopped = BuildRequest { keep_going: &stop, ..request(&from, 2) };
        let error = build(&stopped, &out).expect_err("stopped");
        assert!(matches!(error, AssembleError::Stopped), "{error}");
        assert!(!out.exists(), "{after}");
        let summary = build(&request(&from, 2), &out).unwrap();
        let Work { documents_reused, judged, .. } = summary.work;
        assert_eq!(documents_reused + judged, reference.documents, "{after}");
        // The last time it was stopped while it wrote: nothing had to be found out again.
        assert!(after < times - 1 || judged == 0, "{judged}");
        assert_eq!(BuildSummary { work: reference.work, ..summary }, reference);
        assert_eq!(tree(&out), tree(&whole), "{after}");
    }
}

#[test]
fn what_was_found_is_not_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let from = [sources(dir.path())];
    let out = dir.path().join("out");
    let asked = AtomicUsize::new(0);
    let all_facts = BuildRequest {
        keep_going: &|| asked.fetch_add(1, Ordering::Relaxed) < 12,
        ..request(&from, 1)
    };
    build(&all_facts, &out).expect_err("stopped while rows are written");
    let asked = AtomicUsize::new(0);
    let again = BuildRequest {
        keep_going: &|| asked.fetch_add(1, Ordering::Relaxed) < usize::MAX,
        ..request(&from, 1)
    };
    build(&again, &out).unwrap();
    assert_eq!(
        asked.into_inner(),
        3_600,
        "asked once a row, and no more for batches of a first reading"
    );
}

#[test]
fn the_same_command_leaves_a_complete_corpus_and_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let from = [sources(dir.path())];
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let first = build(&request(&from, 2), &out).unwrap();
    let before = tree(&out);
    let nothing = BuildSummary { work: Work::default(), ..first };
    assert_eq!(build(&request(&from, 1), &out).unwrap(), nothing);
    assert_eq!(tree(&out), before);

    let mut other = request(&from, 2);
    other.assembly.dedup = DedupMode::None;
    let error = build(&other, &out).expect_err("another corpus is there");
    assert!(
        matches!(&error, AssembleError::Request(message) if message.contains("not empty")),
        "{error}"
    );
    assert_eq!(tree(&out), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
    fs::write(dir.path().join("file"), "").unwrap();
    let error = build(&other, &dir.path().join("file")).expect_err("a file is there");
    assert!(error.to_string().contains("not a directory"), "{error}");
}

#[test]
fn gates_have_names_and_trim() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("a.jsonl");
    let prose = "The ball rolls down the hill. It stops at the gate, where the dog waits. Then";
    write_lines(
        &source,
        &[
            json!({"text": "  "}),
            json!({"text": prose, "finish_reason": "length", "token_length": 76}),
            json!({"text": "red ball ".repeat(400)}),
            json!({"text": "A whole text about a lake."}),
        ],
    );
    let from = [source];
    let mut request = request(&from, 2);
    let spec = json!({"truncated": "trim"});
    request.gates = Some(serde_json::from_value::<GateSpec>(spec).unwrap());
    let out = dir.path().join("out");
    let summary = build(&request, &out).unwrap();
    let expected = [("empty".to_owned(), 1), ("repetition".to_owned(), 1)];
    assert_eq!(summary.removed, BTreeMap::from(expected));
    assert_eq!(removed(&out)[0], json!({"id": "a.jsonl#0", "reason": "empty", "root": null}));
    let rows = rows_of(&out);
    assert_eq!(
        rows[0].text,
        "The ball rolls down the hill. It stops at the gate, where the dog waits."
    );
    assert_eq!((rows[0].token_length, rows[1].seq), (71, 3));
}

/// What a build of that one file says.
fn refusal(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let source = dir.join(name);
    fs::write(&source, bytes).unwrap();
    let out = dir.join("out");
    let error = build(&request(&[source], 2), &out).expect_err(name);
    assert!(!out.exists(), "{name}");
    error.to_string()
}

#[test]
fn bad_input_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path();
    let good = json!({"text": "ok"}).to_string();
    for (bad, said) in [
        ("{\"text\": \"a\"", "EOF"),
        ("{\"id\": 1}", "there is no 'text'"),
        ("{\"text\": 7}", "'text' is not a string"),
        ("[\"a\"]", "not a JSON object"),
        ("{\"text\": \"a\", \"text\": \"b\"}", "duplicate field"),
        ("\u{0}", "not a JSON object"),
    ] {
        let message = refusal(place, "bad.jsonl", format!("{good}\n\n{bad}\n{good}").as_bytes());
        assert!(message.contains("bad.jsonl: line 3: ") && message.contains(said), "{message}");
    }
    let message = refusal(place, "bad.jsonl", b"{\"text\": \"\xff\"}");
    assert!(message.contains("line 1: "), "{message}");
    let long = format!("{good}\n{{\"text\": \"{}\"}}", "x".repeat(17 << 20));
    let message = refusal(place, "bad.jsonl", long.as_bytes());
    assert!(message.contains("line 2: 'text' is larger than 16777216 bytes"), "{message}");

    let mut packed = Vec::new();
    let mut writer = JsonlZstWriter::new(&mut packed).unwrap();
    for number in 0..2_000 {
        writer.write(&json!({"text": text(number)})).unwrap();
    }
    writer.finish().unwrap();
    let cut = &packed[..packed.len() / 2];
    let message = refusal(place, "cut.jsonl.zst", cut);
    assert!(
        message.contains("cut.jsonl.zst: line ") && message.contains("incomplete"),
        "{message}"
    );

    let message = refusal(place, "bad.parquet", b"PAR1 and no more");
    assert!(message.contains("bad.parquet: "), "{message}");
    let message = refusal(place, "bad.csv", b"text\na\n");
    assert!(message.contains("ends in .parquet, .jsonl or .jsonl.zst"), "{message}");

    fs::create_dir(place.join("empty")).unwrap();
    for (source, said) in [("nowhere", "there is no source"), ("empty", "no .parquet")] {
        let error =
            build(&request(&[place.join(source)], 1), &place.join("out")).expect_err(source);
        assert!(error.to_string().contains(said) && error.to_string().contains(source), "{error}");
    }
}

#[test]
fn hostile_documents_go_through() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        String::new(),
        "\u{0}".to_owned(),
        "a\u{0}b\r\n\u{2028}\u{feff}".to_owned(),
        "word ".repeat(1_000_000),
        "x".repeat(3 << 20),
        "e\u{301}".repeat(500_000),
        "\u{202e}\"}, {\"id\": \"forged".to_owned(),
    ];
    let rows: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
    let source = dir.path().join("a#b\n.jsonl");
    write_lines(&source, &rows);
    let odd = dir.path().join("odd.jsonl");
    write_lines(
        &odd,
        &[
            json!({"text": "1", "id": 17, "score": "high", "token_length": -1, "prompt": null}),
            json!({"text": "2", "id": "", "score": 1e308, "audience": {"a": 1}, "scores": [1]}),
            json!({"text": "3", "id": "y".repeat(10_000), "token_length": 1u64 << 40}),
        ],
    );
    let from = [source, odd];
    let out = dir.path().join("out");
    let summary = build(&request(&from, 2), &out).unwrap();
    assert_eq!(summary.removed, BTreeMap::new());
    let rows = rows_of(&out);
    assert!(rows.iter().map(|row| &row.text).take(7).eq(&texts));
    assert_eq!(rows[0].id, "a#b\n.jsonl#0");
    let ids: Vec<&str> = rows[7..].iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["17", "odd.jsonl#1", "odd.jsonl#2"]);
    assert_eq!((rows[8].audience.as_str(), rows[8].scores.as_str()), ("{\"a\":1}", "{}"));
    assert!(rows[7..].iter().all(|row| row.token_length == 1));
}

/// Documents of 120 words, of which some are near duplicates and some hold a benchmark's item.
fn near_and_leaked(dir: &Path) -> (PathBuf, PathBuf) {
    let mut rows = Vec::new();
    for number in 0..600_usize {
        let family = number / 3;
        let words: Vec<String> =
            (0..120).map(|word| format!("word{}", family * 1_000 + word)).collect();
        let mut text = words.join(" ");
        if number % 3 == 1 {
            text = format!("{text} and so it ends");
        } else if number % 3 == 2 {
            text = words.iter().rev().cloned().collect::<Vec<_>>().join(" ");
        }
        if family % 50 == 7 {
            text =
                format!("{text}. Which colour has the largest moon of the seventh planet at dawn?");
        }
        rows.push(json!({"id": number, "text": text}));
    }
    let source = dir.join("near.jsonl");
    write_lines(&source, &rows);
    let benchmark = dir.join("quiz.jsonl");
    let item = "Which colour has the largest moon\nof the seventh PLANET at dawn";
    write_lines(&benchmark, &[json!({"benchmark": "quiz", "item_id": "q1", "text": item})]);
    (source, benchmark)
}

#[test]
fn near_duplicates_and_leaks_go_with_their_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let (source, benchmark) = near_and_leaked(dir.path());
    let (sources, benchmarks) = ([source], [benchmark]);
    let mut trees = Vec::new();
    for threads in [1, 2] {
        let mut request = BuildRequest { benchmarks: &benchmarks, ..request(&sources, threads) };
        request.assembly.dedup = DedupMode::Near;
        let out = dir.path().join(threads.to_string());
        let summary = build(&request, &out).unwrap();
        // Each family of three has one near duplicate; four families hold the item, all three of each.
        let expected = [("decontaminated".to_owned(), 12), ("duplicate_near".to_owned(), 196)];
        assert_eq!(summary.removed, BTreeMap::from(expected));
        let removed = removed(&out);
        assert!(removed.contains(&json!({"id": "1", "reason": "duplicate_near", "root": "0"})));
        assert!(removed.contains(&json!({"id": "22", "reason": "decontaminated", "root": null})));
        let kept: Vec<String> = rows_of(&out).into_iter().map(|row| row.id).collect();
        for line in &removed {
            assert!(
                line["root"].as_str().is_none_or(|root| kept.iter().any(|id| id == root)),
                "{line}"
            );
        }
        trees.push(tree(&out));
    }
    assert_eq!(trees[0], trees[1]);
    let hits = String::from_utf8(trees[0]["decontamination.jsonl"].clone()).unwrap();
    assert_eq!(hits.lines().count(), 12);
    let first: Value = serde_json::from_str(hits.lines().next().unwrap()).unwrap();
    assert_eq!((&first["id"], &first["item_id"]), (&json!("21"), &json!("q1")));
    let manifest: BuildManifest = serde_json::from_slice(&trees[0]["manifest.json"]).unwrap();
    let report = manifest.content.decontamination.unwrap();
    assert_eq!((report.documents, report.documents_hit), (600, 12));
    assert_eq!(
        (report.benchmarks["quiz"].items_hit, report.benchmarks["quiz"].documents_hit),
        (1, 12)
    );
}

#[test]
fn what_another_corpus_has_goes_and_its_document_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (source, benchmark) = near_and_leaked(dir.path());
    let sources = [source.clone()];
    let other = dir.path().join("other.jsonl");
    let text_of = |line: usize| -> Value {
        let text = fs::read_to_string(&source).unwrap();
        serde_json::from_str(text.lines().nth(line).unwrap()).unwrap()
    };
    let near = format!("{} and this is how it ended", text_of(30)["text"].as_str().unwrap());
    let same = text_of(35)["text"].as_str().unwrap().to_uppercase();
    write_lines(&other, &[json!({"id": "a", "text": near}), json!({"text": same})]);
    write_lines(&other.with_file_name("third.jsonl"), &[json!({"id": "c", "text": same})]);
    let against = [other.clone(), other.with_file_name("third.jsonl")];
    let benchmarks = [benchmark];
    for threads in [1, 2] {
        let mut request = BuildRequest {
            against: &against,
            benchmarks: &benchmarks,
            ..request(&sources, threads)
        };
        request.assembly.dedup = DedupMode::Near;
        let out = dir.path().join(threads.to_string());
        let summary = build(&request, &out).unwrap();
        assert_eq!(summary.removed["duplicate_exact"], 1, "the second of other.jsonl");
        assert_eq!(summary.documents, 600, "those of other corpora are not ours");
        let removed = removed(&out);
        for line in [
            json!({"id": "30", "reason": "duplicate_near", "root": "a"}),
            json!({"id": "31", "reason": "duplicate_near", "root": "a"}),
            json!({"id": "35", "reason": "duplicate_exact", "root": "other.jsonl#1"}),
        ] {
            assert!(removed.contains(&line), "{line}");
        }
        assert!(rows_of(&out).iter().all(|row| row.id != "a" && row.id != "c"));
    }
    let mut request = BuildRequest { against: &against, ..request(&sources, 1) };
    request.assembly.dedup = DedupMode::None;
    let refused = build(&request, &dir.path().join("none")).expect_err("nothing would go");
    assert!(refused.to_string().contains("deduplication, which is off"), "{refused}");
}

#[test]
fn too_many_that_begin_alike_go_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("tales.jsonl");
    let rows: Vec<Value> = (0..400)
        .map(|n| match n % 2 {
            0 => {
                json!({"id": n, "text": format!("Once upon a time, there was bear {n}. It slept.")})
            }
            _ => json!({"id": n, "text": format!("Bear {n} has a name. It is {n}.")}),
        })
        .collect();
    write_lines(&source, &rows);
    let sources = [source];
    let gates = |share| {
        Some(GateSpec { preset: GatePreset::None, max_opening_share: share, ..GateSpec::default() })
    };
    let mut trees = Vec::new();
    for threads in [1, 2] {
        let request = BuildRequest { gates: gates(Some(0.2)), ..request(&sources, threads) };
        let out = dir.path().join(threads.to_string());
        let summary = build(&request, &out).unwrap();
        // 50 are free, then a fifth of those seen: of 399 that is 79 in the end.
        assert_eq!(summary.removed, BTreeMap::from([("common_opening".to_owned(), 121)]));
        assert_eq!((summary.rows, summary.documents), (279, 400));
        let first = json!({"id": "100", "reason": "common_opening", "root": null});
        assert_eq!(removed(&out)[0], first, "the fifty-first tale");
        trees.push(tree(&out));
    }
    assert_eq!(trees[0], trees[1]);
    let request = BuildRequest { gates: gates(None), ..request(&sources, 1) };
    assert_eq!(build(&request, &dir.path().join("all")).unwrap().rows, 400);
}

#[test]
fn benchmarks_are_chosen_by_name_and_faults_have_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let (source, benchmark) = near_and_leaked(dir.path());
    let out = dir.path().join("out");
    let sources = [source];
    let said = |path: &Path, names: &[&str]| {
        let benchmarks = [path.to_owned()];
        let mut request = BuildRequest { benchmarks: &benchmarks, ..request(&sources, 1) };
        request.assembly.decontaminate = names.iter().map(|&name| name.to_owned()).collect();
        build(&request, &out).expect_err("refused").to_string()
    };
    assert!(said(&benchmark, &["humaneval"]).contains("no benchmark 'humaneval'"));
    assert!(said(&dir.path().join("nowhere"), &[]).contains("there is no benchmark file"));
    let bad = dir.path().join("bad.jsonl");
    write_lines(&bad, &[json!({"item_id": 1, "text": "a"}), json!({"item_id": 2, "text": " "})]);
    assert!(said(&bad, &[]).contains("bad.jsonl: line 2: the item's text is empty"));
    assert!(!out.exists());
}

#[test]
fn no_documents_are_a_corpus_too() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("a.jsonl");
    fs::write(&source, "\n").unwrap();
    let out = dir.path().join("out");
    let BuildSummary { documents, rows, .. } = build(&request(&[source], 2), &out).unwrap();
    assert_eq!((documents, rows, rows_of(&out).len()), (0, 0, 0));
}
