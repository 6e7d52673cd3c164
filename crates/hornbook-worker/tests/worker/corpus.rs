//! From a submitted job to a published corpus.

use std::fs::File;

use hornbook_db::{assembly, corpora, jobs};
use hornbook_inference::ErrorClass;
use hornbook_records::CorpusParquetReader;
use hornbook_types::{AssemblySpec, CorpusRow, DedupMode, JobState, ShardFormat};
use std::time::Duration;

use crate::endpoint::{Scripted, story};
use crate::house::{House, every_seq, spec, until};

const DRAIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_job_becomes_a_corpus_and_every_loss_has_a_name() {
    let scripted = Scripted::new(4, |request| match request.input.last() {
        prompt if prompt.ends_with("topic1") => Err((ErrorClass::Permanent, "bad_request")),
        prompt if prompt.ends_with("topic2") => Ok("Too short.".to_owned()),
        prompt if prompt.ends_with("topic3") => Ok(story("everybody")),
        prompt => Ok(story(prompt)),
    });
    let house = House::new(&[("remote", &scripted), ("local", &scripted)]).await;
    let mut spec = spec(120, &["remote", "local"]);
    spec.assembly.dedup = DedupMode::Exact;
    let job = house.submit(&spec).await;
    let worker = house.worker("a").await;
    let ended = house.until(job, JobState::SucceededWithErrors).await;
    worker.shutdown(DRAIN).await;

    assert_eq!(house.seqs(job).await, every_seq(120));
    let manifest = house.checked_corpus(job).await;
    let content = &manifest.content;
    let counts = &content.counts;
    assert_eq!((counts.prompts, counts.ended), (120, 120));
    assert_eq!(counts.failed.keys().collect::<Vec<_>>(), ["bad_request"]);
    assert_eq!(counts.rejected.keys().collect::<Vec<_>>(), ["too_short"]);
    assert_eq!(counts.failed["bad_request"], ended.counts.failed);
    assert_eq!(counts.rejected["too_short"], ended.counts.rejected);
    assert_eq!(counts.accepted, ended.counts.accepted);
    assert_eq!(counts.rows + counts.dropped["duplicate_exact"], counts.accepted);
    assert!(!content.partial);
    assert_eq!(content.models["scripted"], Some("ab".repeat(32)));
    assert_eq!(content.instruction_set.as_deref(), Some("portable f32"));
    assert_eq!(manifest.run.labels["team"], "blue");

    let corpus = house.corpus(job).await;
    let file = house.store_dir().join(corpus.location).join("data/train-00000-of-00001.parquet");
    let rows: Vec<CorpusRow> =
        CorpusParquetReader::open(File::open(file).unwrap()).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len() as u64, content.rows);
    assert!(rows.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    for row in &rows {
        assert_eq!(row.text.contains("everybody"), row.prompt.ends_with("topic3"));
        assert!(row.prompt.starts_with(if row.format == "story" { "Tell" } else { "Write" }));
    }
    let scratch = house.scratch_dir("a");
    let left = |dir: &str| -> Vec<_> {
        let entries = std::fs::read_dir(scratch.join(dir)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(left("corpora"), [""; 0]);
    assert_eq!(left("segments"), [job.to_string()], "for another assembly");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_job_gives_the_same_commit_however_many_work_on_it() {
    let scripted = Scripted::writer(3);
    let house = House::new(&[("remote", &scripted)]).await;
    let spec = spec(60, &["remote"]);
    let alone = house.worker_with("a", false).await;
    let first = house.submit(&spec).await;
    house.until(first, JobState::Succeeded).await;
    let beside = house.worker_with("b", false).await;
    let second = house.submit(&spec).await;
    house.until(second, JobState::Succeeded).await;
    alone.shutdown(DRAIN).await;
    beside.shutdown(DRAIN).await;
    let (first, second) = (house.checked_corpus(first).await, house.checked_corpus(second).await);
    assert_eq!(first.content, second.content);
    assert_ne!(first.run.job, second.run.job);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corpus_of_what_is_there_can_be_had_at_any_time() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    scripted.hold_after(8);
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(4).await;
    house.until_ended(job, 8).await;
    let lines = AssemblySpec { format: vec![ShardFormat::JsonlZst], ..AssemblySpec::default() };
    assembly::request(&house.db, job, Some(&lines)).await.unwrap();
    let partial =
        until("a partial corpus", async || corpora::by_job(&house.db, job).await.ok()).await;
    assert!(partial.partial);
    assert_eq!(partial.manifest.content.rows, 8);
    let counts = &partial.manifest.content.counts;
    assert_eq!(counts.ended, counts.accepted);
    assert!(!partial.manifest.content.files.iter().any(|file| file.path.ends_with(".parquet")));
    assert_eq!(house.job(job).await.state, JobState::Running);

    scripted.release();
    house.until(job, JobState::Succeeded).await;
    let whole = house.checked_corpus(job).await;
    assert_eq!((whole.content.partial, whole.content.rows), (false, 40));
    assert_eq!(corpora::revisions(&house.db, job).await.unwrap().len(), 2);

    // Asked again, the same commit becomes the newest revision, under the manifest that it has.
    assembly::request(&house.db, job, None).await.unwrap();
    house.until(job, JobState::Succeeded).await;
    assert_eq!(house.checked_corpus(job).await, whole);
    worker.shutdown(DRAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_job_leaves_no_row_and_no_file() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(20, &["remote"])).await;
    let worker = house.worker("a").await;
    house.until(job, JobState::Succeeded).await;
    let files = house.store_dir().join("corpora").join(job.to_string());
    assert!(files.join(house.corpus(job).await.commit).join("README.md").exists());
    jobs::delete(&house.db, job).await.unwrap();
    until("the job's removal", async || {
        (house.test_db.number("SELECT count(*) FROM jobs").await == 0).then_some(())
    })
    .await;
    worker.shutdown(DRAIN).await;
    for table in ["documents", "job_events", "job_chunks", "corpora", "corpus_files", "job_cells"] {
        assert_eq!(
            house.test_db.number(&format!("SELECT count(*) FROM {table}")).await,
            0,
            "{table}"
        );
    }
    let left: Vec<_> = walk(&files);
    assert!(left.is_empty(), "{left:?}");
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(
            |entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path()] },
        )
        .collect()
}
