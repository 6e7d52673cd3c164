//! What a full disk and SIGKILL leave behind: nothing half-published, and the same command goes on.
//!
//! The build that suffers is a process of its own: this program again, with the child's test alone.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hornbook_corpus::{BuildRequest, BuildSummary, CpuTime, ShardLimits, build};
use hornbook_types::{AssemblySpec, DedupMode, GatePreset, GateSpec};
use serde_json::json;

/// Where the child finds its sources and puts its corpus.
const PLACE: &str = "HORNBOOK_TEST_PLACE";
/// What the child's error begins with.
const SAID: &str = "the build said: ";
const DOCUMENTS: usize = 1_200;

/// Documents of some 120 words, one in twenty similar to the one before, and a benchmark item in a few.
fn prepare(dir: &Path) {
    let mut lines = String::new();
    for number in 0..DOCUMENTS {
        let family = if number % 20 == 19 { number - 1 } else { number };
        let mut draw = family as u64 + 1;
        let mut text = String::new();
        for _ in 0..120 {
            draw = draw
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("the w{:x} ", draw >> 40));
        }
        if number % 100 == 49 {
            text.push_str("which colour has the largest moon of the seventh planet at dawn ");
        }
        let line = json!({"id": number, "text": format!("{text}ends {}.", number % 20 / 19)});
        lines.push_str(&format!("{line}\n"));
    }
    fs::write(dir.join("source.jsonl"), lines).unwrap();
    let item = "Which colour has the largest moon of the seventh planet at dawn?";
    fs::write(dir.join("quiz.jsonl"), json!({"item_id": "q", "text": item}).to_string()).unwrap();
}

fn build_in(dir: &Path, out: &Path) -> Result<BuildSummary, hornbook_corpus::AssembleError> {
    let (sources, benchmarks): ([PathBuf; 1], [PathBuf; 1]) =
        ([dir.join("source.jsonl")], [dir.join("quiz.jsonl")]);
    let request = BuildRequest {
        name: "Faults",
        sources: &sources,
        named: &[],
        mix: None,
        benchmarks: &benchmarks,
        against: &[],
        assembly: AssemblySpec { dedup: DedupMode::Near, ..AssemblySpec::default() },
        gates: Some(GateSpec {
            preset: GatePreset::None,
            max_opening_share: Some(0.9),
            ..GateSpec::default()
        }),
        licenses: BTreeMap::new(),
        threads: 2,
        hornbook: "0.0.0",
        limits: ShardLimits::default(),
        tokenizer: None,
        on_progress: &|_| {},
        cpu: CpuTime::UNKNOWN,
        keep_going: &|| true,
    };
    build(&request, out)
}

#[test]
#[ignore = "a process of its own, which the other tests start"]
#[expect(clippy::disallowed_methods, reason = "the tests that start it say so where it works")]
fn child() {
    let Some(dir) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    if let Err(error) = build_in(&dir, &dir.join("out")) {
        eprintln!("{SAID}{error}");
    }
}

/// The child, with files of at most so many KiB.
fn child_in(dir: &Path, file_kib: Option<u32>) -> Command {
    let limit = file_kib.map_or("unlimited".to_owned(), |kib| kib.to_string());
    let mut command = Command::new("bash");
    command
        // What is too large is an error of the write, as on a full disk, and no signal.
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f \"$1\"; exec \"$0\" --exact child --ignored --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .arg(limit)
        .env(PLACE, dir)
        .stdout(Stdio::null());
    command
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
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn a_full_disk_is_named_and_the_same_command_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let whole = dir.path().join("whole");
    let summary = build_in(dir.path(), &whole).unwrap();
    assert_eq!(summary.removed.get("decontaminated"), Some(&12), "{summary:?}");
    assert_eq!(summary.removed.get("duplicate_near"), Some(&60), "{summary:?}");
    let expected = tree(&whole);
    let out = dir.path().join("out");
    let mut named = Vec::new();
    // From the first thing that is written, over the middle of a shard, to the last.
    for kib in [0, 4, 64, 160, 280, 400, 500] {
        let output = child_in(dir.path(), Some(kib)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && !said.contains(SAID) {
            assert_eq!(tree(&out), expected, "{kib} KiB were enough");
            fs::remove_dir_all(&out).unwrap();
            continue;
        }
        let said = said.lines().find_map(|line| line.strip_prefix(SAID)).unwrap().to_owned();
        assert!(said.contains("File too large"), "{kib}: {said}");
        assert!(!out.exists(), "{kib}: half a corpus was published");
        named.push(said);
    }
    assert!(named.iter().any(|said| said.contains("/facts/")), "{named:?}");
    assert!(named.iter().any(|said| said.contains("/corpus/data/")), "in a shard: {named:?}");
    build_in(dir.path(), &out).unwrap();
    assert_eq!(tree(&out), expected);
}

#[test]
fn a_build_that_is_killed_goes_on_and_leaves_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let whole = dir.path().join("whole");
    build_in(dir.path(), &whole).unwrap();
    let out = dir.path().join("out");
    for kill in 0..8_u64 {
        let mut child = child_in(dir.path(), None).stderr(Stdio::null()).spawn().unwrap();
        // At any moment at all: how far it has come by then is no matter.
        std::thread::sleep(Duration::from_millis(20 + 45 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        if out.exists() {
            assert_eq!(tree(&out), tree(&whole), "it was complete before the kill");
            fs::remove_dir_all(&out).unwrap();
        }
    }
    build_in(dir.path(), &out).unwrap();
    assert_eq!(tree(&out), tree(&whole));
    let left: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "nothing else is left: {left:?}");
}
