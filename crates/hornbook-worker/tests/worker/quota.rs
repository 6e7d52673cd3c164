//! Accepted quotas: which documents are taken does not depend on who was fast.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use hornbook_db::jobs::QUOTA_SHORT;
use hornbook_inference::ErrorClass;
use hornbook_prompt::Plan;
use hornbook_records::CorpusParquetReader;
use hornbook_types::{CorpusRow, JobState, LineQuota, Manifest, PinnedJobSpec, Verdict, mix};

use crate::endpoint::{Scripted, story};
use crate::house::{House, spec};

const DRAIN: Duration = Duration::from_secs(5);

/// So many accepted documents, three quarters of them stories, from so many prompts.
fn quota_spec(wanted: u64, candidates: u64) -> PinnedJobSpec {
    let mut spec = spec(candidates, &["remote"]);
    let quotas = [(wanted - wanted / 4, 750_000), (wanted / 4, 250_000)];
    for (line, (accepted, weight)) in spec.lines.iter_mut().zip(quotas) {
        line.quota = Some(LineQuota { accepted, weight });
    }
    spec
}

/// What becomes of a prompt, by its sampling seed alone: two in three are accepted.
fn fate(sampling_seed: u64) -> Verdict {
    match mix(77, sampling_seed) % 12 {
        0..=2 => Verdict::Rejected,
        3 => Verdict::Failed,
        _ => Verdict::Accepted,
    }
}

/// An endpoint whose latencies come in an order of their own for each `salt`.
fn shuffled(slots: usize, salt: u64) -> std::sync::Arc<Scripted> {
    let delay = move |request: &hornbook_inference::CompletionRequest| {
        Duration::from_millis(mix(salt, request.seed) % 30)
    };
    Scripted::slow(slots, delay, |request| match fate(request.seed) {
        Verdict::Accepted => Ok(format!("{} {}.", story(request.input.last()), request.seed)),
        Verdict::Rejected => Ok("Too short.".to_owned()),
        Verdict::Failed => Err((ErrorClass::Permanent, "bad_request")),
    })
}

/// The numbers that the rule says: of each line the first n accepted.
fn expected(spec: &PinnedJobSpec) -> Vec<u64> {
    let (plan, mut left) = (Plan::new(spec).unwrap(), spec.quotas().unwrap());
    (0..spec.total)
        .filter(|&seq| {
            let planned = plan.at(seq);
            let taken = fate(planned.sampling_seed) == Verdict::Accepted && left[planned.line] > 0;
            left[planned.line] -= u64::from(taken);
            taken
        })
        .collect()
}

/// Every file of a corpus's `data` folder.
fn data(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir.join("data")).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

struct Run {
    manifest: Manifest,
    data: BTreeMap<String, Vec<u8>>,
    rows: Vec<CorpusRow>,
    requests: u32,
}

async fn run(workers: usize, slots: usize, salt: u64, spec: &PinnedJobSpec) -> Run {
    let scripted = shuffled(slots, salt);
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(spec).await;
    let mut running = Vec::new();
    for number in 0..workers {
        running.push(house.worker(&number.to_string()).await);
    }
    // One worker leaves half way and hands back what it has; it never was the only one.
    if workers > 1 {
        house.until_ended(job, spec.total / 6).await;
        running.remove(0).shutdown(DRAIN).await;
    }
    let ended = house.until(job, JobState::SucceededWithErrors).await;
    for worker in running {
        worker.shutdown(DRAIN).await;
    }
    let counts = ended.counts;
    assert_eq!(counts.ended() + counts.skipped, counts.total, "{counts:?}");
    assert_eq!(ended.quota.map(|quota| quota.met), Some(counts.accepted - counts.surplus));
    assert_eq!(ended.error, None, "some failed, but nothing is short");
    assert!(scripted.asked().values().sum::<u32>() as u64 == counts.ended(), "each asked once");
    let manifest = house.checked_corpus(job).await;
    assert_eq!(manifest.run.surplus, counts.surplus);
    let dir = house.store_dir().join(house.corpus(job).await.location);
    let file = File::open(dir.join("data/train-00000-of-00001.parquet")).unwrap();
    let rows = CorpusParquetReader::open(file).unwrap().map(Result::unwrap).collect();
    Run { manifest, data: data(&dir), rows, requests: scripted.requests() }
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_first_accepted_ones_whatever_the_latencies_and_workers() {
    let spec = quota_spec(80, 240);
    let first = run(1, 4, 1, &spec).await;
    let content = &first.manifest.content;
    assert_eq!((content.rows, content.counts.accepted, content.partial), (80, 80, false));
    assert_eq!(content.counts.cells["toddler"]["story"], 60);
    assert_eq!(content.counts.cells["toddler"]["letter"], 20);
    assert!(content.counts.shortfall.is_empty());
    // Eighty at two in three are a hundred and twenty, give or take.
    assert!(first.requests < 180, "{} requests for 80 documents", first.requests);
    for (workers, slots, salt) in [(1, 24, 2), (2, 3, 3), (3, 8, 4)] {
        let other = run(workers, slots, salt, &spec).await;
        assert!(other.data == first.data, "{workers} workers with {slots} slots");
        assert_eq!(other.manifest.content, first.manifest.content);
    }
    let seqs: Vec<u64> = first.rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, expected(&spec), "the first accepted ones of each line, by number");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_be_filled_ends_short_and_says_so() {
    let scripted = Scripted::new(8, |request| match request.input.last() {
        prompt if prompt.starts_with("Write") => Ok("Too short.".to_owned()),
        prompt => Ok(story(prompt)),
    });
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&quota_spec(24, 72)).await;
    let worker = house.worker("a").await;
    let ended = house.until(job, JobState::SucceededWithErrors).await;
    worker.shutdown(DRAIN).await;
    let error = ended.error.unwrap();
    assert_eq!(error.code, QUOTA_SHORT);
    assert!(error.message.contains("18 of 24"), "{}", error.message);
    assert_eq!(ended.counts.rejected, 18, "every letter of the plan was tried");
    assert!(ended.counts.accepted < 54 && ended.counts.skipped > 0, "{:?}", ended.counts);
    let manifest = house.checked_corpus(job).await;
    let counts = &manifest.content.counts;
    assert_eq!((manifest.content.rows, manifest.content.partial), (18, false));
    assert_eq!(counts.shortfall, BTreeMap::from([("letter@1 for toddler@1".to_owned(), 6)]));
    assert_eq!(counts.rejected["too_short"], 18);
    assert_eq!(manifest.run.surplus, ended.counts.surplus);
}
