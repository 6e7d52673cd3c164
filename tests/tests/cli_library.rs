//! `hornbook benchmark` and `import` against a real service: what is kept out of corpora, and what goes in.

use std::path::Path;

use hornbook_tests::cli::Cli;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::service::{Options, Service};
use serde_json::{Value, json};

async fn service(environment: &[(&str, &str)]) -> (Service, Cli) {
    let database = TestDatabase::create().await;
    let pairs = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let service = Service::start_with(Options {
        database_url: Some(database.url.clone()),
        arguments: vec!["--no-local-engine".to_owned()],
        environment: pairs.collect(),
        ..Options::default()
    })
    .await;
    let cli = Cli::at(&service.url);
    (service, cli)
}

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).expect("writing");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn benchmarks_are_pushed_whole_or_not_at_all() {
    let (service, cli) = service(&[]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let good = "{\"item_id\": \"q/1\", \"text\": \"Why is ice cold?\"}\n";
    let file = write(directory.path(), "quiz.jsonl", good);
    let pushed = cli.run("benchmark push quiz", &[&file]).await.exits(0);
    assert_eq!(pushed.stdout, "quiz@1  1 items\n");
    let bad = write(directory.path(), "bad.jsonl", format!("{good}{good}"));
    let refused = cli.run("benchmark push quiz", &[&bad]).await.exits(1);
    assert!(refused.stderr.contains("line 2: item_id 'q/1'"), "{}", refused.stderr);
    cli.run("benchmark push quiz", &[]).await.exits(2);

    let task = json!({"task_id": "HumanEval/0", "prompt": "def one():\n", "canonical_solution": "    return 1\n",
                      "test": "assert one() == 1", "entry_point": "one"});
    let file = write(directory.path(), "HumanEval.jsonl", format!("{task}\n"));
    let pushed = cli.run("benchmark push --json --human-eval", &[&file]).await.exits(0).json();
    assert_eq!((&pushed["reference"], &pushed["items"]), (&json!("humaneval@1"), &json!(1)));
    let items = service.http.get(format!("{}/v1/benchmarks/humaneval/items", service.url));
    let items = items.send().await.expect("an answer").text().await.expect("a body");
    let item: Value = serde_json::from_str(&items).expect("one item");
    assert_eq!(item, json!({"item_id": "HumanEval/0", "text": "def one():\n    return 1\n"}));
    let table = cli.run("benchmark ls", &[]).await.exits(0).stdout;
    assert!(table.contains("humaneval@1") && table.contains("quiz@1"), "{table}");
    cli.run("benchmark push other --human-eval", &[&file]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_imported_from_files_and_from_the_operators_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("root");
    std::fs::create_dir(&root).expect("a root");
    write(&root, "a.jsonl", "{\"text\": \"Ponds are small.\"}\n{\"text\": \"Ice is cold.\"}\n");
    write(&root, "b.jsonl", "{\"text\": \"fine\"}\n{\"txt\": 1}\n");
    let root = root.to_str().expect("a path");
    let (_service, cli) = service(&[("HORNBOOK_IMPORT_ROOT", root)]).await;

    let csv = write(directory.path(), "web.csv", "body\nFire is hot.\n");
    let pushed = cli
        .run("import push web --license CC-BY-ND-4.0 --column body --json", &[&csv])
        .await
        .exits(0)
        .json();
    assert_eq!((&pushed["state"], &pushed["rows"]), (&json!("ready"), &json!(1)));
    assert_eq!(pushed["redistribution"], "forbidden");

    let there = cli.run("import push disk --license CC0-1.0 --path a.jsonl", &[]).await.exits(0);
    assert_eq!(there.stdout, "disk@1  ready  2 documents  7 tokens\n");
    let bad = cli.run("import push bad --license CC0-1.0 --path b.jsonl", &[]).await.exits(1);
    assert!(bad.stderr.contains("b.jsonl: line 2: there is no 'text'"), "{}", bad.stderr);
    let outside =
        cli.run("import push bad --license CC0-1.0 --path ../web.csv", &[]).await.exits(1);
    assert!(outside.stderr.contains("import root"), "{}", outside.stderr);
    let listed = cli.run("import ls --json", &[]).await.exits(0).json();
    let states: Vec<_> = listed.as_array().expect("a list").iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["failed", "ready", "ready"]);
    cli.run("import rm web", &[]).await.exits(0);
    cli.run("import rm web", &[]).await.exits(3);
}
