//! A job whose endpoint repeats a benchmark gives a corpus without it.

use std::time::Duration;

use hornbook_db::benchmarks::{self, BenchmarkContent};
use hornbook_db::{Expect, assembly};
use hornbook_types::{AssemblySpec, DedupMode, JobState, Manifest};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::endpoint::{Scripted, story};
use crate::house::{House, slug, spec, until};

const DRAIN: Duration = Duration::from_secs(5);
const ITEM: &str = "A farmer walks to market with seventeen speckled hens and sells nine of them before noon. \
    How many speckled hens does the farmer carry home when the market closes that evening?";

/// Stores a benchmark as the api does; gives `name@version` and hash.
async fn put(house: &House, items: &[Value]) -> (String, String) {
    let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
    let sha256 = hex::encode(Sha256::digest(&lines));
    let location = format!("benchmarks/{sha256}.jsonl");
    let path = house.store_dir().join(&location);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, &lines).unwrap();
    let (items, bytes) = (items.len() as u64, lines.len() as u64);
    let content = BenchmarkContent { sha256: sha256.clone(), items, bytes, location };
    let (pinned, _) =
        benchmarks::put(&house.db, &slug("hens"), &content, Expect::Any).await.unwrap();
    (pinned.to_string(), sha256)
}

fn hits(house: &House, location: &str) -> Vec<Value> {
    let path = house.store_dir().join(location).join("decontamination.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rows(manifest: &Manifest) -> (u64, Option<u64>, Option<u64>) {
    let counts = &manifest.content.counts;
    let dropped = |reason| counts.dropped.get(reason).copied();
    (counts.rows, dropped("decontaminated"), dropped("duplicate_near"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_a_benchmark_goes_and_is_told_of() {
    let scripted = Scripted::new(4, |request| match request.input.last() {
        prompt if prompt.ends_with("topic7") => Ok(format!("{} {ITEM} He smiled.", story(prompt))),
        prompt => Ok(story(prompt)),
    });
    let house = House::new(&[("remote", &scripted)]).await;
    let others = json!({"item_id": "h/2", "text": "Name the capital of the oldest kingdom on the river of nine bridges."});
    let (name, sha256) =
        put(&house, &[json!({"item_id": "h/1", "text": ITEM}), others.clone()]).await;
    // Ninety stories of fifty seeds: every seed is told of at least once.
    let mut spec = spec(120, &["remote"]);
    spec.assembly = AssemblySpec {
        dedup: DedupMode::None,
        decontaminate: vec![name.clone()],
        benchmarks: [(name, sha256)].into(),
        ..AssemblySpec::default()
    };
    let job = house.submit(&spec).await;
    // What is stored after the submission changes nothing.
    put(&house, &[others]).await;
    let worker = house.worker("a").await;
    house.until(job, JobState::Succeeded).await;

    let manifest = house.checked_corpus(job).await;
    let asked = scripted.asked();
    let leaked = asked.iter().filter(|(prompt, _)| prompt.ends_with("topic7"));
    let leaked: u64 = leaked.map(|(_, times)| u64::from(*times)).sum();
    assert!(leaked > 0);
    assert_eq!(rows(&manifest), (120 - leaked, Some(leaked), None));
    let found = hits(&house, &house.corpus(job).await.location);
    assert_eq!(found.len() as u64, leaked, "one hit for each document: {found:?}");
    for hit in &found {
        assert_eq!((&hit["benchmark"], &hit["item_id"]), (&json!("hens"), &json!("h/1")));
        let line = hit.to_string();
        assert!(line.contains("speckled hens"), "the span that overlaps: {line}");
    }

    // The same documents again without the benchmark: a new revision has them all.
    let kept = AssemblySpec { dedup: DedupMode::None, ..AssemblySpec::default() };
    let before = manifest.content.commit.clone();
    assembly::request(&house.db, job, Some(&kept)).await.unwrap();
    until("another revision", async || (house.corpus(job).await.commit != before).then_some(()))
        .await;
    worker.shutdown(DRAIN).await;
    assert_eq!(rows(&house.checked_corpus(job).await), (120, None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_that_is_not_what_it_was_makes_no_corpus() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let (name, _) = put(&house, &[json!({"item_id": "h/1", "text": ITEM})]).await;
    let mut spec = spec(8, &["remote"]);
    spec.assembly.decontaminate = vec![name.clone()];
    spec.assembly.benchmarks = [(name, "ab".repeat(32))].into();
    let job: Uuid = house.submit(&spec).await;
    let worker = house.worker("a").await;
    let failed = house.until(job, JobState::Failed).await;
    worker.shutdown(DRAIN).await;
    let error = failed.error.unwrap();
    assert_eq!(error.code, "assembly_failed");
    assert!(error.message.contains("hens@1") && error.message.contains("expected"), "{error:?}");
}
