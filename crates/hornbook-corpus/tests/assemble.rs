//! From documents to a corpus, and the same bytes every time.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use hornbook_corpus::decontaminate::{Benchmarks, Mode};
use hornbook_corpus::{
    AssembleError, AssembleRequest, Assembled, SeedOrigin, Segment, SegmentWriter, ShardLimits,
    WantedBenchmarks, Work, commit_of, corpus_row, examine_segment, row_id, spec_digest,
};
use hornbook_records::{CorpusParquetReader, JsonlZstReader};
use hornbook_types::{
    AssemblySpec, AudienceSpec, CorpusRow, DedupMode, Document, FinishReason, GateSpec, GradeRange,
    JobSpec, Manifest, ManifestRun, OutputKind, PinnedJobSpec, PinnedLine, RowFunnel, Sampling,
    ShardFormat, TemplateSpec, TokenRange, Usage, Verdict,
};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use time::macros::datetime;

fn spec(name: &str) -> PinnedJobSpec {
    let audience_spec = AudienceSpec {
        title: "Toddler".to_owned(),
        rank: Some(0),
        reader: "toddlers".to_owned(),
        instructions: vec!["Write.".to_owned()],
        vocabulary: "plain".to_owned(),
        leave_out: Vec::new(),
        formulas: "none".to_owned(),
        ending: "stop".to_owned(),
        tokens: TokenRange { min: 1, max: 100 },
        grade: GradeRange::default(),
    };
    PinnedJobSpec {
        name: name.to_owned(),
        seed_set: "topics@1".parse().unwrap(),
        seeds: 50,
        lines: vec![PinnedLine {
            template: "story@1".parse().unwrap(),
            audience: "toddler@1".parse().unwrap(),
            prompts: 100,
            quota: None,
            template_spec: TemplateSpec {
                format: "story".parse().unwrap(),
                output: OutputKind::Text,
                body: "Write about {{ seed.topic }}.".to_owned(),
                description: None,
            },
            audience_spec,
        }],
        total: 100,
        paired: false,
        sampling: Sampling::default(),
        endpoints: vec!["local".parse().unwrap()],
        gates: GateSpec::default(),
        assembly: AssemblySpec::default(),
        priority: 0,
        weight: 1.0,
        metadata: BTreeMap::new(),
    }
}

/// Text of document `seq`: every tenth repeats the one five before it, in other letters.
fn text(seq: u64) -> String {
    if seq % 10 == 9 {
        text(seq - 5).to_uppercase()
    } else {
        format!("Story {seq}. The end of {seq}.")
    }
}

fn document(seq: u64) -> Document {
    let mut seed_data = Map::new();
    seed_data.insert("topic".to_owned(), json!(seq));
    Document {
        seq,
        prompt: format!("Write about {seq}."),
        text: text(seq),
        usage: Usage { prompt_tokens: 5, completion_tokens: 7, cached_tokens: 0 },
        audience: "toddler@1".parse().unwrap(),
        template: "story@1".parse().unwrap(),
        format: "story".parse().unwrap(),
        seed_seq: seq,
        seed_data,
        endpoint: "local".parse().unwrap(),
        model: "smol <b>".to_owned(),
        sampling_seed: u64::MAX - seq,
        finish_reason: FinishReason::Stop,
        latency_ms: 1000 + seq as u32,
        verdict: Verdict::Accepted,
        reason: None,
        error: None,
        scores: Map::new(),
    }
}

fn segments(dir: &Path, spec: &PinnedJobSpec, size: u64) -> Vec<Segment> {
    fs::create_dir_all(dir).unwrap();
    let digest = spec_digest(spec).unwrap();
    (0..100)
        .step_by(size as usize)
        .map(|lo| {
            let mut writer = SegmentWriter::create(dir, &digest, lo, lo + size).unwrap();
            for seq in lo..(lo + size).min(100) {
                writer.write(&corpus_row(&digest, document(seq))).unwrap();
            }
            writer.finish().unwrap()
        })
        .collect()
}

fn run() -> ManifestRun {
    ManifestRun {
        job: uuid::Uuid::nil(),
        hornbook: "0.0.0".to_owned(),
        submitted_at: datetime!(2026-01-01 00:00 UTC),
        assembled_at: datetime!(2026-01-02 00:00 UTC),
        usage: Usage::default(),
        surplus: 0,
        labels: Map::new(),
    }
}

fn request(spec: &PinnedJobSpec, segments: Vec<Segment>) -> AssembleRequest<'_> {
    AssembleRequest {
        spec,
        segments,
        before: RowFunnel { prompts: 100, ..RowFunnel::default() },
        partial: false,
        seeds: SeedOrigin { license: "CC0-1.0".to_owned(), source: String::new() },
        model_hashes: BTreeMap::from([("smol <b>".to_owned(), "ab".repeat(32))]),
        instruction_set: Some("portable f32".to_owned()),
        run: run(),
        limits: ShardLimits { text_bytes: 700, row_group_bytes: 400 },
        tokenizer: None,
        takes: &|_| true,
        keep_going: &|| true,
        threads: 2,
        sidecars: Path::new("."),
        benchmarks: None,
        against: &[],
    }
}

/// Assembles with sidecars beside the corpus, known to nobody else.
fn assemble(request: &AssembleRequest<'_>, out: &Path) -> Result<Manifest, AssembleError> {
    let sidecars = out.with_added_extension("sidecars");
    assemble_with(request, &sidecars, out).map(|assembled| assembled.manifest)
}

fn assemble_with(
    request: &AssembleRequest<'_>,
    sidecars: &Path,
    out: &Path,
) -> Result<Assembled, AssembleError> {
    hornbook_corpus::assemble(&AssembleRequest { sidecars, ..request.clone() }, out)
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

#[test]
fn a_corpus_has_every_row_once_and_says_what_was_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("Up the ladder");
    let segments = segments(&dir.path().join("segments"), &spec, 16);
    let out = dir.path().join("out");
    let manifest = assemble(&request(&spec, segments), &out).unwrap();

    let content = &manifest.content;
    assert_eq!((content.counts.accepted, content.rows, content.tokens), (100, 90, 90 * 7));
    assert_eq!(content.counts.dropped, BTreeMap::from([("duplicate_exact".to_owned(), 10)]));
    assert_eq!(content.counts.ended, 100);
    assert_eq!(content.counts.cells["toddler"]["story"], 90);
    assert_eq!(content.models["smol <b>"], Some("ab".repeat(32)));

    let mut parquet: Vec<CorpusRow> = Vec::new();
    let mut jsonl: Vec<CorpusRow> = Vec::new();
    for file in &content.files {
        let path = out.join(&file.path);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(file.bytes, bytes.len() as u64, "{}", file.path);
        assert_eq!(file.sha256, hex::encode(Sha256::digest(&bytes)), "{}", file.path);
        let before = parquet.len() + jsonl.len();
        if file.path.ends_with(".parquet") {
            let rows = CorpusParquetReader::open(File::open(&path).unwrap()).unwrap();
            parquet.extend(rows.map(Result::unwrap));
        } else if file.path.ends_with(".jsonl.zst") {
            let rows = JsonlZstReader::new(File::open(&path).unwrap()).unwrap();
            jsonl.extend(rows.map(Result::unwrap));
        }
        let rows = (parquet.len() + jsonl.len() - before) as u64;
        assert_eq!(file.rows.unwrap_or_default(), rows, "{}", file.path);
    }
    assert_eq!(parquet, jsonl);
    let seqs: Vec<u64> = parquet.iter().map(|row| row.seq).collect();
    let expected: Vec<u64> = (0..100).filter(|seq| seq % 10 != 9).collect();
    assert_eq!(seqs, expected, "the first of equals is kept, in the order of prompts");
    let digest = spec_digest(&spec).unwrap();
    assert_eq!(parquet[3].id, row_id(&digest, 3));

    let shards = content.files.iter().filter(|file| file.path.ends_with(".parquet")).count();
    assert!(shards > 1);
    let last = content.files.iter().rfind(|file| file.path.starts_with("data/")).unwrap();
    assert_eq!(last.path, format!("data/train-{:05}-of-{shards:05}.parquet", shards - 1));
    assert_eq!(tree(&out).len(), content.files.len() + 1, "no temporary file is left");
    let on_disk: Manifest =
        serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(on_disk, manifest);
}

#[test]
fn the_same_documents_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("Up the ladder");
    let mut trees = Vec::new();
    for (name, size, reverse) in [("a", 16, false), ("b", 16, true), ("c", 50, false)] {
        let mut segments = segments(&dir.path().join("s").join(name), &spec, size);
        if reverse {
            segments.reverse();
        }
        let out = dir.path().join(name);
        assemble(&request(&spec, segments), &out).unwrap();
        trees.push(tree(&out));
    }
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2], "how rows were cut into segments leaves no trace");

    let segments = segments(&dir.path().join("s").join("a"), &spec, 16);
    let mut later = request(&spec, segments);
    later.run.assembled_at = datetime!(2030-01-01 00:00 UTC);
    later.run.job = uuid::Uuid::max();
    let manifest = assemble(&later, &dir.path().join("d")).unwrap();
    let first: Manifest = serde_json::from_slice(&trees[0]["manifest.json"]).unwrap();
    assert_eq!(manifest.content, first.content, "the run leaves no trace in the content");
}

#[test]
fn the_commit_is_the_documented_function() {
    let file = |path: &str, sha256: &str| hornbook_types::CorpusFile {
        path: path.to_owned(),
        bytes: 1,
        sha256: sha256.to_owned(),
        rows: None,
        tokens: None,
    };
    let files = [file("b", &"1".repeat(64)), file("a", &"0".repeat(64))];
    let text = format!("a\0{}\nb\0{}\n", "0".repeat(64), "1".repeat(64));
    let expected = hex::encode(<sha1::Sha1 as sha1::Digest>::digest(text.as_bytes()));
    assert_eq!(commit_of(&files), expected);
}

#[test]
fn a_job_has_the_splits_it_asks_for_whatever_its_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec("In parts");
    let splits = [("train", 0.7), ("validation", 0.2), ("annealing", 0.1)];
    spec.assembly.splits = splits.map(|(name, share)| (name.to_owned(), share)).into();
    let few = segments(&dir.path().join("few"), &spec, 100);
    let many = segments(&dir.path().join("many"), &spec, 16);
    let out = dir.path().join("out");
    let manifest = assemble(&request(&spec, few), &out).unwrap();
    let counts = &manifest.content.statistics.splits;
    // Of ninety documents of seven tokens each.
    let rows = ["train", "validation", "annealing"].map(|name| counts[name].rows);
    assert_eq!((rows, counts["validation"].tokens), ([63, 18, 9], 18 * 7));
    let mut seen = BTreeSet::new();
    let files = manifest.content.files.iter().filter(|file| file.path.ends_with(".parquet"));
    for file in files {
        let file = File::open(out.join(&file.path)).unwrap();
        for row in CorpusParquetReader::open(file).unwrap() {
            assert!(seen.insert(row.unwrap().seq));
        }
    }
    assert_eq!(seen.len(), 90);
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(card.contains("  - split: annealing\n    path: data/annealing-*.parquet\n"), "{card}");
    assert!(card.contains("| validation | 20 % | 18 | 18 | 126 |"), "{card}");
    let again = dir.path().join("again");
    assemble(&AssembleRequest { threads: 1, ..request(&spec, many) }, &again).unwrap();
    assert_eq!(tree(&again), tree(&out));
}

#[test]
fn formats_and_deduplication_are_the_jobs_choice() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec("Only lines");
    spec.assembly.format = vec![ShardFormat::JsonlZst];
    spec.assembly.dedup = DedupMode::None;
    let segments = segments(&dir.path().join("segments"), &spec, 100);
    let mut request = request(&spec, segments);
    request.limits = ShardLimits::default();
    let out = dir.path().join("out");
    let manifest = assemble(&request, &out).unwrap();
    assert_eq!(manifest.content.rows, 100);
    let names: Vec<_> = tree(&out).into_keys().collect();
    let expected = [
        "README.md",
        "assets/tokens.svg",
        "croissant.json",
        "data/train-00000-of-00001.jsonl.zst",
        "job.json",
        "manifest.json",
        "prompts/audiences/toddler.v1.json",
        "prompts/story.v1.tera",
    ];
    assert_eq!(names, expected);
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(card.contains("path: data/train-*.jsonl.zst"), "{card}");
}

#[test]
fn near_duplicates_go_when_the_job_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec("Near");
    spec.assembly.dedup = DedupMode::Near;
    let digest = spec_digest(&spec).unwrap();
    let place = dir.path().join("segments");
    fs::create_dir_all(&place).unwrap();
    let long = |seq: u64, mark: &str| {
        let words: Vec<String> =
            (0..200).map(|word| format!("w{}", (seq / 4) * 1_000 + word)).collect();
        format!("{} {mark}", words.join(" "))
    };
    let segments: Vec<Segment> = [(0, 8), (8, 16)]
        .into_iter()
        .map(|(lo, hi)| {
            let mut writer = SegmentWriter::create(&place, &digest, lo, hi).unwrap();
            for seq in lo..hi {
                // Of every four, one is the same and one is nearly so; the third of them is the best.
                let mark = ["first", "First!", "another", ""][seq as usize % 4];
                let mut document = document(seq);
                document.text = if seq % 4 == 3 { text(seq) } else { long(seq, mark) };
                if seq % 4 == 2 {
                    document.scores.insert("score".to_owned(), json!(0.5));
                }
                writer.write(&corpus_row(&digest, document)).unwrap();
            }
            writer.finish().unwrap()
        })
        .collect();
    let mut trees = Vec::new();
    for threads in [1, 2] {
        let out = dir.path().join(threads.to_string());
        let request = AssembleRequest { threads, ..request(&spec, segments.clone()) };
        let content = assemble(&request, &out).unwrap().content;
        let dropped = [("duplicate_exact".to_owned(), 4), ("duplicate_near".to_owned(), 4)];
        assert_eq!((content.rows, content.counts.dropped), (8, BTreeMap::from(dropped)));
        trees.push(tree(&out));
    }
    assert_eq!(trees[0], trees[1]);
    assert!(trees[0].keys().all(|name| !name.contains("scratch")));
}

#[test]
fn what_is_known_of_segments_is_not_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec("Known");
    let segments = segments(&dir.path().join("segments"), &spec, 10);
    let sidecars = dir.path().join("sidecars");
    let done = |spec: &PinnedJobSpec, wanted: Option<&WantedBenchmarks>, out: &str| {
        let request = AssembleRequest { benchmarks: wanted, ..request(spec, segments.clone()) };
        assemble_with(&request, &sidecars, &dir.path().join(out)).unwrap().work
    };
    // While the job runs, some segments are examined ahead.
    for segment in &segments[..4] {
        let work = examine_segment(segment, &spec.assembly, None, &sidecars, 1, &|| true).unwrap();
        assert_eq!((work.read, work.judged, work.signed), (10, 10, 0));
        let again = examine_segment(segment, &spec.assembly, None, &sidecars, 1, &|| true).unwrap();
        assert_eq!((again.read, again.documents_reused), (0, 10));
    }
    let work = done(&spec, None, "a");
    let first = Work { documents_reused: 40, read: 60, judged: 60, ..Work::default() };
    assert_eq!(work, first);
    // Another spec costs what depends on it: signatures here, nothing for formats and caps.
    spec.assembly.dedup = DedupMode::Near;
    let work = done(&spec, None, "b");
    let signed = Work { documents_reused: 100, read: 100, signed: 100, ..Work::default() };
    assert_eq!(work, signed);
    spec.assembly.format = vec![ShardFormat::Parquet];
    spec.gates.max_opening_share = Some(0.5);
    let nothing = Work { documents_reused: 100, ..Work::default() };
    assert_eq!(done(&spec, None, "c"), nothing);
    let mut items = Benchmarks::default();
    let item = "Story 7. The end of 7, and of everything else that there was.";
    let line = json!({"item_id": "q", "text": item}).to_string();
    items.load("quiz", line.as_bytes()).unwrap();
    let wanted = WantedBenchmarks::new(&items, &[], Mode::Strict).unwrap();
    let searched = Work { documents_reused: 100, read: 100, searched: 100, ..Work::default() };
    assert_eq!(done(&spec, Some(&wanted), "d"), searched);
    assert_eq!(done(&spec, Some(&wanted), "e"), nothing);
    assert_eq!(tree(&dir.path().join("d")), tree(&dir.path().join("e")));
    // A column that lost its end is found again, and no other.
    let cut = fs::read_dir(&sidecars).unwrap().map(|it| it.unwrap().path());
    let cut = cut.filter(|it| it.extension().is_some_and(|it| it == "facts")).min().unwrap();
    File::options().write(true).open(&cut).unwrap().set_len(7).unwrap();
    let work = done(&spec, Some(&wanted), "f");
    let mended = Work { documents_reused: 90, read: 10, judged: 10, ..Work::default() };
    assert_eq!(work, mended);
    assert_eq!(tree(&dir.path().join("e")), tree(&dir.path().join("f")));
}

#[test]
fn a_jobs_leaks_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("Leaks");
    let digest = spec_digest(&spec).unwrap();
    let item = "Which colour has the largest moon of the seventh planet at dawn";
    let mut writer = SegmentWriter::create(dir.path(), &digest, 0, 100).unwrap();
    for seq in 0..100 {
        let mut document = document(seq);
        document.text = match seq % 20 {
            3 => format!("Story {seq} begins with this. {item}? Nobody knows."),
            _ => format!("Once upon a time there was bear {seq}."),
        };
        writer.write(&corpus_row(&digest, document)).unwrap();
    }
    let segments = vec![writer.finish().unwrap()];
    let mut items = Benchmarks::default();
    items.load("quiz", json!({"item_id": "q", "text": item}).to_string().as_bytes()).unwrap();
    let wanted = WantedBenchmarks::new(&items, &["quiz".to_owned()], Mode::Strict).unwrap();
    let request = AssembleRequest { benchmarks: Some(&wanted), ..request(&spec, segments) };
    let out = dir.path().join("out");
    let assembled = assemble_with(&request, &dir.path().join("sidecars"), &out).unwrap();
    let content = &assembled.manifest.content;
    assert_eq!(content.counts.dropped, BTreeMap::from([("decontaminated".to_owned(), 5)]));
    assert_eq!((content.rows, content.counts.accepted), (95, 100));
    let report = assembled.decontamination.unwrap();
    assert_eq!((report.documents_hit, report.benchmarks["quiz"].items_hit), (5, 1));
    let hits = fs::read_to_string(out.join("decontamination.jsonl")).unwrap();
    assert!(content.files.iter().any(|file| file.path == "decontamination.jsonl"));
    assert_eq!(hits.lines().count(), 5);
    let first: serde_json::Value = serde_json::from_str(hits.lines().next().unwrap()).unwrap();
    assert_eq!(first["id"], json!(row_id(&digest, 3)));
    let unknown = WantedBenchmarks::new(&items, &["humaneval".to_owned()], Mode::Strict);
    assert!(unknown.expect_err("unknown").to_string().contains("no benchmark 'humaneval'"));
}

#[test]
fn a_corpus_without_documents_can_still_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("Nothing");
    let out = dir.path().join("out");
    let manifest = assemble(&request(&spec, Vec::new()), &out).unwrap();
    assert_eq!(manifest.content.rows, 0);
    let file = File::open(out.join("data/train-00000-of-00001.parquet")).unwrap();
    assert_eq!(CorpusParquetReader::open(file).unwrap().count(), 0);
}

#[test]
fn a_segment_exists_once_it_is_complete_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("Up the ladder");
    let digest = spec_digest(&spec).unwrap();
    let unfinished = SegmentWriter::create(dir.path(), &digest, 0, 100).unwrap();
    drop(unfinished);
    assert_eq!(Segment::find(dir.path(), &digest, 0, 100).unwrap(), None);

    let written = segments(dir.path(), &spec, 100).remove(0);
    assert_eq!(Segment::find(dir.path(), &digest, 0, 100).unwrap(), Some(written.clone()));
    assert_eq!(Segment::find(dir.path(), &"0".repeat(64), 0, 100).unwrap(), None, "another spec");

    let path = dir.path().join("000000000000-000000000100.jsonl.zst");
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 20);
    fs::write(&path, bytes).unwrap();
    let error = assemble(&request(&spec, vec![written.clone()]), &dir.path().join("out"))
        .expect_err("the segment was cut off");
    assert!(matches!(error, AssembleError::Segment { .. }), "{error}");
    written.remove().unwrap();
    assert_eq!(Segment::find(dir.path(), &digest, 0, 100).unwrap(), None);
}

#[test]
fn an_assembly_can_be_stopped_and_names_the_file_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("Up the ladder");
    let segments = segments(&dir.path().join("segments"), &spec, 100);
    let stopped = AssembleRequest { keep_going: &|| false, ..request(&spec, segments.clone()) };
    let error = assemble(&stopped, &dir.path().join("a")).expect_err("stopped");
    assert!(matches!(error, AssembleError::Stopped));

    fs::write(dir.path().join("file"), "").unwrap();
    let error = assemble(&request(&spec, segments), &dir.path().join("file/out"))
        .expect_err("no directory");
    assert!(matches!(&error, AssembleError::Io { .. }) && error.to_string().contains("file/out"));
}

#[test]
fn the_card_survives_a_hostile_name_and_model() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("a\"b: #c\n---\nlicense: mit <script> [x](javascript:1)");
    let segments = segments(&dir.path().join("segments"), &spec, 100);
    let mut request = request(&spec, segments);
    request.partial = true;
    request.before.rejected.insert("too_short".to_owned(), 3);
    request.before.failed.insert("http|500".to_owned(), 2);
    request.seeds.license = "my: own\nlicense".to_owned();
    let out = dir.path().join("out");
    assemble(&request, &out).unwrap();
    let card = fs::read_to_string(out.join("README.md")).unwrap();

    let header = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
    let expected = "pretty_name: \"a\\\"b: #c\\n---\\nlicense: mit <script> [x](javascript:1)\"\n\
        license: other\n\
        license_name: \"my: own\\nlicense\"\n\
        task_categories:\n- text-generation\n\
        size_categories:\n- n<1K\n\
        tags:\n- synthetic\n- textbooks\n- hornbook\n- partial\n\
        configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*.parquet";
    assert_eq!(header, expected);
    assert!(!card[header.len()..].contains("<script>") && !card.contains("<b>"), "{card}");
    for line in [
        "| failed: http\\|500 | 2 | 103 |",
        "| rejected: too\\_short | 3 | 100 |",
        "| accepted | | 100 |",
        "| dropped: duplicate\\_exact | 10 | 90 |",
        "| **rows of the corpus** | | **90** |",
        "| tokens of those rows | 630 | |",
        "> **This corpus is partial**: 105 of 100 prompts had ended",
        "| story@1 | story | toddler@1 | 100 | 90 |",
        "- Rejected by gates: 2.91 % (3 of 103) of what was judged.",
        "- Duplicate rate: 10.00 % (10 of 100) of the accepted documents",
        "| seed set topics@1 | my: own license | not stated |",
        "> **Find out before you pass this corpus on.**",
        "No benchmark was looked for",
        "Write about {{ seed.topic }}.",
        "![Length of documents](assets/tokens.svg)",
    ] {
        assert!(card.contains(line), "{line} in {card}");
    }
}

#[test]
fn a_job_can_be_submitted_again_from_its_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("Up the ladder");
    let segments = segments(&dir.path().join("segments"), &spec, 100);
    let out = dir.path().join("out");
    assemble(&request(&spec, segments), &out).unwrap();
    let job: JobSpec = serde_json::from_slice(&fs::read(out.join("job.json")).unwrap()).unwrap();
    job.check().unwrap();
    assert_eq!((job.documents, job.accepted, job.recipe.len()), (Some(100), None, 1));
    assert_eq!(job.recipe[0].template.to_string(), "story@1");
    assert_eq!((job.name, job.sampling, job.gates), (spec.name, spec.sampling, spec.gates));
    let template = fs::read_to_string(out.join("prompts/story.v1.tera")).unwrap();
    assert_eq!(template, spec.lines[0].template_spec.body);
}
