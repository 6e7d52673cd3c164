//! A mixed corpus from plain files, and a plan for one, by the command line alone.
#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::fs;
use std::path::Path;

use hornbook_tests::cli::Cli;
use serde_json::{Value, json};

/// A file of documents of ten tokens each.
fn write_source(dir: &Path, name: &str, count: usize) -> String {
    let path = dir.join(format!("{name}.jsonl"));
    let rows = (0..count).map(|n| {
        let text = format!("The {name} text {n} tells of {} and of {}.", n * 7 + 1, n * 13 + 5);
        format!("{}\n", json!({"id": format!("{name}-{n}"), "text": text, "token_length": 10}))
    });
    fs::write(&path, rows.collect::<String>()).unwrap();
    format!("{name}={}", path.display())
}

fn write_spec(dir: &Path, spec: &Value) -> String {
    let path = dir.join("spec.json");
    fs::write(&path, spec.to_string()).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn files_are_mixed_and_split_without_a_service() {
    let dir = tempfile::tempdir().unwrap();
    let (web, books) =
        (write_source(dir.path(), "web", 400), write_source(dir.path(), "books", 60));
    let mut spec = json!({
        "name": "Web and books",
        "mix": {"tokens": 2000, "sources": [
            {"name": "web", "weight": 0.6}, {"name": "books", "weight": 0.4, "max_epochs": 2}
        ]},
        "assembly": {"splits": {"train": 0.9, "validation": 0.1}, "format": ["jsonl.zst"]},
    });
    let path = write_spec(dir.path(), &spec);
    let out = dir.path().join("out");
    let command =
        format!("corpus build --json --spec {path} --source {web} --source {books} --out");
    let told = Cli::default().run(&command, &[&out]).await.exits(0).json();
    // Twelve hundred tokens of the web once; all books, and as many again as are not held out.
    assert_eq!(told["mix"]["lines"][0]["tokens"], 1_200);
    assert_eq!(told["mix"]["lines"][1]["tokens"], 800);
    assert_eq!(told["tokens"], 2_000);
    assert_eq!(told["removed"], json!({"mix_surplus": 280}));
    assert_eq!(told["splits"]["validation"]["tokens"], 180);
    let mut files: Vec<String> = fs::read_dir(out.join("data"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expected = ["train-00000-of-00001.jsonl.zst", "validation-00000-of-00001.jsonl.zst"];
    assert_eq!(files, expected);

    // The same command does nothing, and tells the same.
    let again = Cli::default().run(&command, &[&out]).await.exits(0).json();
    assert_eq!((&again["commit"], &again["mix"]), (&told["commit"], &told["mix"]));
    let lines = command.replace("--json ", "");
    let lines = Cli::default().run(&lines, &[&out]).await.exits(0).stdout;
    assert!(lines.contains("books: 800 tokens of 800 wanted (40.00 %), 1.33 epochs"), "{lines}");

    // What does not fit is said before anything is done.
    spec["mix"]["sources"][1]["name"] = json!("magazines");
    write_spec(dir.path(), &spec);
    let other = dir.path().join("other");
    let ran = Cli::default().run(&command, &[&other]).await.exits(2);
    assert!(ran.stderr.contains("a source 'magazines', and no files"), "{}", ran.stderr);
    assert!(!other.exists());
    spec["mix"]["sources"][1] = json!({"name": "books", "weight": 1, "tokens": 3});
    write_spec(dir.path(), &spec);
    let ran = Cli::default().run(&command, &[&other]).await.exits(2);
    assert!(ran.stderr.contains("/mix/sources/1/tokens"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_plan_needs_no_service_and_names_its_sources() {
    let cli = Cli::default();
    let lines = cli.run("corpus plan", &[]).await.exits(0).stdout;
    assert!(lines.contains("1.7B") && lines.contains("1.00 T"), "{lines}");
    assert!(lines.contains("Hoffmann et al. 2022"), "{lines}");
    let asked = "corpus plan --json --model 135M --tokens 6000000000 --available-tokens 1000000000";
    let plan = cli.run(asked, &[]).await.exits(0).json();
    assert_eq!(plan["rows"][0]["available"]["epochs"], 6.0);
    assert_eq!(plan["rows"][0]["available"]["missing_tokens"], 500_000_000);
    assert!(plan["rows"][0]["warnings"][0].as_str().unwrap().contains("Muennighoff"), "{plan}");
    let ran = cli.run("corpus plan --model huge", &[]).await.exits(2);
    assert!(ran.stderr.contains("/models"), "{}", ran.stderr);
}
