//! Formats for trainers, from the command line, read by programs that are not ours.

use std::fs;
use std::path::Path;

use hornbook_tests::environment;
use hornbook_tests::python::script;
use serde_json::{Value, json};
use tokio::process::Command;

/// Documents of the source.
const DOCUMENTS: usize = 400;

async fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let done = command.output().await.expect("starting the program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

async fn check(verb: &str, one: &Path, other: &Path) -> Value {
    let mut command = Command::new(environment::python());
    command.arg(script("check_formats.py")).arg(verb).arg(one).arg(other);
    let (code, said, error) = run(&mut command).await;
    assert_eq!(code, Some(0), "{error}");
    serde_json::from_str(&said).expect("what the script found")
}

fn lines() -> String {
    let text = |number: usize| match number % 4 {
        0 => format!("The {number} others don't  say <|endoftext|> to us.\n\n\tIt isn't so.  "),
        1 => format!("naïve café {number} 中文 \u{1f600} e\u{301}, ½ and ٣"),
        2 => "·".repeat(number % 7 + 1) + &number.to_string(),
        _ => format!("    if x == {number}:\r\n        return  -{number}\n"),
    };
    let line = |number: usize| {
        let id = format!("n{number}");
        let seed = json!({ "topic": number });
        json!({"id": id, "text": text(number), "prompt": format!("Write {number}."), "seed_data": seed}).to_string()
    };
    (0..DOCUMENTS).map(|number| line(number) + "\n").collect()
}

#[tokio::test]
async fn trainers_read_what_was_built() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("source.jsonl");
    fs::write(&source, lines()).expect("writing the source");
    let (tokenizer, out) = (dir.path().join("tokenizer.json"), dir.path().join("corpus"));
    check("train", &source, &tokenizer).await;
    let mut build = Command::new(environment::binary());
    build.args(["corpus", "build", "--dedup", "none", "--json", "--source"]).arg(&source);
    build.arg("--tokenizer").arg(&tokenizer).arg("--out").arg(&out);
    build.args(["--format", "parquet,messages.jsonl.zst,nanogpt.bin,megatron,datatrove.ds"]);
    let (code, said, error) = run(&mut build).await;
    assert_eq!(code, Some(0), "{error}");
    let summary: Value = serde_json::from_str(said.trim()).expect("a summary");
    let found = check("check", &out, &tokenizer).await;
    assert_eq!(found["rows"], DOCUMENTS);
    assert_eq!(found["tokens"], summary["tokens"].as_u64().expect("tokens") + DOCUMENTS as u64);
}

#[tokio::test]
async fn a_token_format_wants_a_tokenizer() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("source.jsonl");
    fs::write(&source, lines()).expect("writing the source");
    let build = |arguments: &[&str]| {
        let mut build = Command::new(environment::binary());
        build.args(["corpus", "build", "--source"]).arg(&source).args(arguments);
        build.arg("--out").arg(dir.path().join("corpus"));
        build
    };
    for (arguments, word) in [
        (&["--format", "parquet,megatron"][..], "/assembly/tokenizer"),
        (&["--format", "megatron", "--tokenizer", "none.json"], "/assembly/format"),
        (&["--tokenizer", "none.json"], "none.json"),
    ] {
        let (code, _, error) = run(&mut build(arguments)).await;
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(word), "{error}");
    }
}
