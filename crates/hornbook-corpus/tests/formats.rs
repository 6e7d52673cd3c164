//! Formats for trainers: what is in their files, read as their loaders read them.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hornbook_corpus::{
    AssembleError, BuildManifest, BuildRequest, BuildSummary, CorpusTokenizer, CpuTime,
    ShardLimits, build,
};
use hornbook_records::{CorpusParquetReader, JsonlZstReader};
use hornbook_types::{AssemblySpec, CorpusFile, CorpusRow, ShardFormat};
use serde_json::{Value, json};

const FORMATS: [ShardFormat; 6] = [
    ShardFormat::Parquet,
    ShardFormat::JsonlZst,
    ShardFormat::Messages,
    ShardFormat::NanoGpt,
    ShardFormat::Megatron,
    ShardFormat::Datatrove,
];

/// A byte-level tokenizer with so many ids, of which the last ends documents.
fn tokenizer_json(vocabulary: usize) -> Value {
    let mut tokens = Vec::new();
    let mut spare = 256_u32;
    for byte in 0..=u8::MAX {
        let prints = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let character = if prints {
            char::from(byte)
        } else {
            spare += 1;
            char::from_u32(spare - 1).unwrap()
        };
        tokens.push(character.to_string());
    }
    tokens.extend(["th", "the", "Ġthe", "er", "in"].map(str::to_owned));
    let known = tokens.len();
    let mut vocab: serde_json::Map<String, Value> = tokens
        .into_iter()
        .enumerate()
        .map(|(id, token)| (token, json!(vocabulary - 1 - known + id)))
        .collect();
    // A token that the model does not have gets the first free id, whatever the file says.
    vocab.insert("<|endoftext|>".to_owned(), json!(vocabulary - 1));
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{"id": vocabulary - 1, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": [["t", "h"], ["th", "e"], ["Ġ", "the"], ["e", "r"], ["i", "n"]]},
    })
}

fn tokenizer(dir: &Path, vocabulary: usize) -> CorpusTokenizer {
    let path = dir.join(format!("tokenizer-{vocabulary}.json"));
    fs::write(&path, tokenizer_json(vocabulary).to_string()).unwrap();
    CorpusTokenizer::read(&path, "tiny", None).unwrap()
}

fn text(number: usize) -> String {
    match number {
        7 => "It says <|endoftext|> and goes on.<|endoftext|>".to_owned(),
        8 => "·".to_owned(),
        _ => format!("The {number} others in their house: {}, and the end.", number * 31),
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let write = |name: &str, numbers: std::ops::Range<usize>| {
        let path = dir.join(name);
        let mut file = File::create(&path).unwrap();
        for number in numbers {
            // Every tenth repeats the one before.
            let number = if number % 10 == 9 { number - 1 } else { number };
            let row = json!({
                "text": text(number), "prompt": if number == 5 { "" } else { "Write." }, "format": "story",
                "seed_data": {"topic": number},
            });
            writeln!(file, "{row}").unwrap();
        }
        path
    };
    vec![write("a.jsonl", 0..300), write("b.jsonl", 300..500)]
}

fn request<'a>(sources: &'a [PathBuf], tokenizer: Option<&'a CorpusTokenizer>) -> BuildRequest<'a> {
    BuildRequest {
        name: "Mine",
        sources,
        named: &[],
        mix: None,
        benchmarks: &[],
        against: &[],
        licenses: BTreeMap::new(),
        assembly: AssemblySpec {
            format: FORMATS.to_vec(),
            tokenizer: Some("tiny".to_owned()),
            ..AssemblySpec::default()
        },
        gates: None,
        threads: 2,
        hornbook: "0.0.0",
        limits: ShardLimits { text_bytes: 9_000, row_group_bytes: 4_000 },
        tokenizer,
        on_progress: &|_| {},
        cpu: CpuTime::UNKNOWN,
        keep_going: &|| true,
    }
}

fn manifest(out: &Path) -> BuildManifest {
    serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap()
}

fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let inner = tree(&path).into_iter();
            files.extend(
                inner.map(|(name, bytes)| (Path::new(path.file_name().unwrap()).join(name), bytes)),
            );
        } else {
            files.insert(PathBuf::from(path.file_name().unwrap()), fs::read(&path).unwrap());
        }
    }
    files
}

/// What each shard must hold: rows, and their tokens with the end.
fn expected(out: &Path, tokenizer: &CorpusTokenizer) -> Vec<Vec<(CorpusRow, Vec<u32>)>> {
    let mut encoder = tokenizer.encoder();
    let mut shards = Vec::new();
    for file in files(&manifest(out), "data/", ".parquet") {
        let rows = CorpusParquetReader::open(File::open(out.join(&file.path)).unwrap()).unwrap();
        let with_ids = |row: CorpusRow| {
            let mut ids = Vec::new();
            encoder.append(&row.text, &mut ids).unwrap();
            assert_eq!(row.token_length as usize, ids.len());
            ids.push(tokenizer.facts().end_of_text_id.unwrap());
            (row, ids)
        };
        shards.push(rows.map(Result::unwrap).map(with_ids).collect());
    }
    shards
}

fn files(manifest: &BuildManifest, directory: &str, ending: &str) -> Vec<CorpusFile> {
    let is_wanted =
        |file: &&CorpusFile| file.path.starts_with(directory) && file.path.ends_with(ending);
    manifest.content.files.iter().filter(is_wanted).cloned().collect()
}

fn numbers(bytes: &[u8], width: usize) -> Vec<u64> {
    let number = |chunk: &[u8]| chunk.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    assert_eq!(bytes.len() % width, 0);
    bytes.chunks(width).map(number).collect()
}

fn check(out: &Path, tokenizer: &CorpusTokenizer, [nano, mega, trove]: [usize; 3]) {
    let shards = expected(out, tokenizer);
    assert!(shards.len() > 1, "several shards");
    let manifest = manifest(out);
    let read = |file: &CorpusFile| fs::read(out.join(&file.path)).unwrap();
    let flat = |shard: &[(CorpusRow, Vec<u32>)]| -> Vec<u64> {
        shard.iter().flat_map(|(_, ids)| ids.iter().map(|id| u64::from(*id))).collect()
    };
    for (directory, ending, width) in
        [("nanogpt/", ".bin", nano), ("megatron/", ".bin", mega), ("datatrove/", ".ds", trove)]
    {
        let found = files(&manifest, directory, ending);
        assert_eq!(found.len(), shards.len(), "{directory}");
        for (file, shard) in found.iter().zip(&shards) {
            assert_eq!(numbers(&read(file), width), flat(shard), "{}", file.path);
            assert_eq!(file.rows, Some(shard.len() as u64));
        }
        // Every row's tokens and one end.
        let tokens: u64 = found.iter().filter_map(|file| file.tokens).sum();
        assert_eq!(tokens, manifest.content.tokens + manifest.content.rows, "{directory}");
    }
    for (file, shard) in files(&manifest, "megatron/", ".idx").iter().zip(&shards) {
        check_index(&read(file), shard, mega);
    }
    for (file, shard) in files(&manifest, "datatrove/", ".ds.index").iter().zip(&shards) {
        let ends: Vec<u64> = shard
            .iter()
            .scan(0, |end, (_, ids)| {
                *end += ids.len() as u64;
                Some(*end)
            })
            .collect();
        assert_eq!(numbers(&read(file), 8), ends);
    }
    for (file, shard) in files(&manifest, "datatrove/", ".ds.metadata").iter().zip(&shards) {
        let note = String::from_utf8(read(file)).unwrap();
        let tokens = flat(shard).len();
        assert!(note.starts_with(&format!("tiny|{trove}\n{tokens}\n")), "{note}");
    }
    for (file, shard) in files(&manifest, "messages/", ".jsonl.zst").iter().zip(&shards) {
        let file = File::open(out.join(&file.path)).unwrap();
        let lines = JsonlZstReader::<_, Value>::new(file).unwrap().map(Result::unwrap);
        let spoken: Vec<Value> = lines.collect();
        assert_eq!(spoken.len(), shard.len());
        for (line, (row, _)) in spoken.iter().zip(shard) {
            let last = line["messages"].as_array().unwrap().last().unwrap();
            assert_eq!(*last, json!({"role": "assistant", "content": row.text}));
            assert_eq!(
                line["messages"].as_array().unwrap().len(),
                1 + usize::from(!row.prompt.is_empty())
            );
            assert_eq!(line["seed_data"], json!(row.seed_data));
        }
    }
}

fn check_index(index: &[u8], shard: &[(CorpusRow, Vec<u32>)], width: usize) {
    let count = shard.len();
    assert_eq!(&index[..9], b"MMIDIDX\0\0");
    assert_eq!(numbers(&index[9..17], 8), [1]);
    assert_eq!(index[17], if width == 2 { 8 } else { 4 });
    assert_eq!(numbers(&index[18..34], 8), [count as u64, count as u64 + 1]);
    let (lengths, rest) = index[34..].split_at(4 * count);
    let (starts, documents) = rest.split_at(8 * count);
    let expected: Vec<u64> = shard.iter().map(|(_, ids)| ids.len() as u64).collect();
    assert_eq!(numbers(lengths, 4), expected);
    let starts = numbers(starts, 8);
    for (index, length) in expected.iter().enumerate().skip(1) {
        assert_eq!(
            starts[index],
            starts[index - 1] + expected[index - 1] * width as u64,
            "{length}"
        );
    }
    assert_eq!(numbers(documents, 8), (0..=count as u64).collect::<Vec<_>>());
}

#[test]
fn every_format_holds_the_same_documents() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    for (vocabulary, widths) in [
        (262, [2, 2, 2]),
        (65_499, [2, 2, 2]),
        (65_500, [2, 4, 2]),
        (65_536, [4, 4, 2]),
        (65_537, [4, 4, 4]),
    ] {
        let tokenizer = tokenizer(dir.path(), vocabulary);
        let out = dir.path().join(format!("out-{vocabulary}"));
        let summary = build(&request(&sources, Some(&tokenizer)), &out).unwrap();
        assert_eq!(summary.rows, 450);
        check(&out, &tokenizer, widths);
        let content = manifest(&out).content;
        let facts = content.tokenizer_facts();
        assert_eq!(facts.vocabulary, vocabulary as u64);
        assert_eq!(facts.end_of_text.as_deref(), Some("<|endoftext|>"));
        assert!(content.token_counts.starts_with("tokenizer tiny"), "{}", content.token_counts);
    }
}

/// What a manifest says of the tokenizer.
trait TokenizerOf {
    fn tokenizer_facts(&self) -> hornbook_types::TokenizerFacts;
}

impl TokenizerOf for hornbook_corpus::BuildContent {
    fn tokenizer_facts(&self) -> hornbook_types::TokenizerFacts {
        self.spec.tokenizer.clone().unwrap()
    }
}

#[test]
fn threads_and_stops_change_no_byte_and_nothing_is_counted_twice() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let tokenizer = tokenizer(dir.path(), 262);
    let bytes = AtomicU64::new(0);
    let count = |progress: hornbook_corpus::BuildProgress| {
        bytes.store(progress.bytes_encoded, Ordering::Relaxed);
    };
    let whole = dir.path().join("whole");
    let one =
        BuildRequest { threads: 1, on_progress: &count, ..request(&sources, Some(&tokenizer)) };
    build(&one, &whole).unwrap();
    let all = bytes.swap(0, Ordering::Relaxed);
    assert!(all > 0);

    let out = dir.path().join("out");
    let stop = AtomicBool::new(false);
    let stopping = |progress: hornbook_corpus::BuildProgress| {
        // Some of the second file is counted: the first one's record is complete by then.
        stop.store(progress.documents_counted > 300, Ordering::Relaxed);
    };
    let stopped = BuildRequest {
        on_progress: &stopping,
        keep_going: &|| !stop.load(Ordering::Relaxed),
        ..request(&sources, Some(&tokenizer))
    };
    assert!(matches!(build(&stopped, &out), Err(AssembleError::Stopped)));
    let resumed = BuildRequest { on_progress: &count, ..request(&sources, Some(&tokenizer)) };
    let BuildSummary { rows, .. } = build(&resumed, &out).unwrap();
    assert_eq!(rows, 450);
    let rest = bytes.load(Ordering::Relaxed);
    assert!(rest < all, "{rest} of {all} bytes were encoded again");
    assert!(tree(&out) == tree(&whole), "another corpus than without a stop");
}

#[test]
fn a_token_format_without_an_end_of_text_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let mut json = tokenizer_json(262);
    json["added_tokens"][0]["content"] = json!("<|unusual|>");
    let path = dir.path().join("tokenizer.json");
    fs::write(&path, json.to_string()).unwrap();
    let tokenizer = CorpusTokenizer::read(&path, "tiny", None).unwrap();
    let error = build(&request(&sources, Some(&tokenizer)), &dir.path().join("out")).unwrap_err();
    assert!(error.to_string().contains("end_of_text"), "{error}");
    let tokenizer = CorpusTokenizer::read(&path, "tiny", Some("<|unusual|>")).unwrap();
    build(&request(&sources, Some(&tokenizer)), &dir.path().join("out")).unwrap();

    let error = CorpusTokenizer::read(&dir.path().join("no.json"), "tiny", None).err().unwrap();
    assert!(error.to_string().contains("no.json"), "{error}");
    let error = build(&request(&sources, None), &dir.path().join("none")).unwrap_err();
    assert!(error.to_string().contains("tokenizer"), "{error}");
}
