//! `hornbook seeds`, `template` and `audience` against a real service.

use std::path::Path;

use hornbook_tests::cli::Cli;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::service::Service;

async fn open() -> (Service, Cli, tempfile::TempDir) {
    let database = TestDatabase::create().await;
    let service = Service::start(&database).await;
    let cli = Cli::at(&service.url);
    (service, cli, tempfile::tempdir().expect("a directory"))
}

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).expect("writing");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn seeds_are_pushed_whole_or_not_at_all() {
    let (_service, cli, directory) = open().await;
    let good = "{\"topic\": \"tides\"}\n{\"topic\": \"bridges\"}\n";
    let file = write(directory.path(), "topics.ndjson", good);
    let pushed = cli.run("seeds push my-topics --license CC0-1.0", &[&file]).await.exits(0);
    assert_eq!(pushed.stdout, "my-topics@1  2 seeds\n");
    // The same again is the same version; compressed, it is still the same.
    let packed = zstd::encode_all(good.as_bytes(), 3).expect("compressing");
    let packed = write(directory.path(), "topics.jsonl.zst", packed);
    let again = cli.run("seeds push my-topics --license CC0-1.0 --json", &[&packed]).await.exits(0);
    assert_eq!((&again.json()["version"], &again.json()["count"]), (&1.into(), &2.into()));

    let bad = write(directory.path(), "bad.ndjson", format!("{good}[\"no object\"]\n"));
    let refused = cli.run("seeds push other --license CC0-1.0", &[&bad]).await.exits(1);
    assert!(refused.stderr.contains("line 3"), "{}", refused.stderr);
    assert!(refused.stdout.is_empty(), "{}", refused.stdout);
    let unnamed = write(directory.path(), "topics.txt", good);
    cli.run("seeds push other --license CC0-1.0", &[&unnamed]).await.exits(2);
    let missing = directory.path().join("nowhere.csv");
    cli.run("seeds push other --license CC0-1.0", &[&missing]).await.exits(2);

    let listed = cli.run("seeds ls --json", &[]).await.exits(0).json();
    let names: Vec<&str> =
        listed.as_array().expect("a list").iter().filter_map(|set| set["slug"].as_str()).collect();
    assert_eq!(names, ["my-topics", "starter-curriculum"], "nothing of a bad file is kept");
    let table = cli.run("seeds ls", &[]).await.exits(0).stdout;
    assert!(table.starts_with("SEED SET") && table.contains("starter-curriculum@1"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_shown_rendered_pushed_and_compared() {
    let (_service, cli, directory) = open().await;
    let listed = cli.run("template ls --json", &[]).await.exits(0).json();
    assert!(listed.as_array().map(Vec::len) >= Some(6), "{listed}");
    assert!(cli.run("template ls", &[]).await.exits(0).stdout.contains("story@1"));
    let body = cli.run("template show story", &[]).await.exits(0).stdout;
    assert!(body.contains("{{ audience.reader }}"), "{body}");
    let shown = cli.run("template show story@1 --json", &[]).await.exits(0).json();
    assert_eq!(shown["format"], "story");
    let prompt = cli.run("template render story --audience toddler --seq 3", &[]).await.exits(0);
    assert!(!prompt.stdout.contains("{{") && prompt.stdout.len() > 40, "{}", prompt.stdout);
    let rendered = "template render story --audience college --json";
    assert!(cli.run(rendered, &[]).await.exits(0).json()["tokens_estimate"].as_u64() > Some(10));

    let first = write(
        directory.path(),
        "fable.tera",
        "Write a fable about {{ seed.topic }} for {{ audience.reader }}.\nLet animals speak.\n",
    );
    let no_format = cli.run("template push fable", &[&first]).await.exits(2);
    assert!(no_format.stderr.contains("--format"), "{}", no_format.stderr);
    let pushed = cli.run("template push fable --format story", &[&first]).await.exits(0);
    assert!(pushed.stdout.ends_with("fable@1\n"), "{}", pushed.stdout);
    let second = write(
        directory.path(),
        "fable2.tera",
        "Write a fable about {{ seed.topic }} for {{ audience.reader }}.\nLet plants speak.\n",
    );
    let pushed = cli.run("template push fable --json", &[&second]).await.exits(0).json();
    assert_eq!((&pushed["version"], &pushed["format"]), (&2.into(), &"story".into()));
    let diff = cli.run("template diff fable 1 2", &[]).await.exits(0).stdout;
    assert!(diff.contains("-Let animals speak.\n+Let plants speak.\n"), "{diff}");
    assert!(diff.starts_with(" Write a fable"), "{diff}");
    assert!(
        cli.run("template diff fable 1 2 --json", &[]).await.exits(0).json()["body"].is_array()
    );

    let broken = write(directory.path(), "broken.tera", "one line\n{{ audience.reader \n");
    let refused = cli.run("template push broken --format story", &[&broken]).await.exits(1);
    assert!(refused.stderr.contains("line"), "{}", refused.stderr);
    cli.run("template show broken", &[]).await.exits(3);
    cli.run("template show story@99", &[]).await.exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn audiences_are_listed_up_the_ladder() {
    let (_service, cli, _directory) = open().await;
    let listed = cli.run("audience ls --json", &[]).await.exits(0).json();
    let ladder: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter(|audience| !audience["rank"].is_null())
        .filter_map(|audience| audience["slug"].as_str())
        .collect();
    let rungs = ["toddler", "preschool", "grade-school", "middle-school", "high-school", "college"];
    assert_eq!(ladder[..6], rungs);
    let table = cli.run("audience ls", &[]).await.exits(0).stdout;
    assert!(table.contains("toddler@1") && table.contains("read to"), "{table}");
    let shown = cli.run("audience show toddler", &[]).await.exits(0).json();
    assert_eq!(shown["title"], "Toddler");
    cli.run("audience show martian", &[]).await.exits(3);
}
