//! Mixed corpora: several jobs become one, the same one wherever and however often it is assembled.

use std::fs::File;
use std::time::Duration;

use hornbook_db::corpora::{self, Owner, mixed};
use hornbook_db::jobs;
use hornbook_records::CorpusParquetReader;
use hornbook_types::{CorpusRow, CorpusSpec, CorpusState, DedupMode, JobState, MixSource};
use uuid::Uuid;

use crate::endpoint::Scripted;
use crate::house::{House, spec, until};

const DRAIN: Duration = Duration::from_secs(5);

fn source(name: &str, job: Uuid) -> MixSource {
    MixSource { name: Some(name.to_owned()), job: Some(job), ..MixSource::default() }
}

fn mix(sources: Vec<MixSource>) -> CorpusSpec {
    let assembly = hornbook_types::AssemblySpec { dedup: DedupMode::None, ..Default::default() };
    CorpusSpec { name: "A mix".to_owned(), sources, assembly, ..CorpusSpec::default() }
}

async fn ended(house: &House, id: Uuid) -> mixed::Mixed {
    until("a mixed corpus's end", async || {
        mixed::get(&house.db, id).await.ok().filter(|corpus| corpus.state.has_ended())
    })
    .await
}

async fn made(house: &House, spec: &CorpusSpec) -> mixed::MixedRevision {
    let id = Uuid::now_v7();
    mixed::submit(&house.db, id, spec).await.unwrap();
    let corpus = ended(house, id).await;
    assert_eq!((corpus.state, corpus.error), (CorpusState::Ready, None));
    mixed::by_id(&house.db, id).await.unwrap()
}

/// Two jobs with texts of their own that have ended.
async fn two_jobs(house: &House) -> (Uuid, Uuid) {
    let ponds = house.submit(&spec(40, &["remote"])).await;
    let mut other = spec(24, &["remote"]);
    other.name = "Stars".to_owned();
    let stars = house.submit(&other).await;
    house.until(ponds, JobState::Succeeded).await;
    house.until(stars, JobState::Succeeded).await;
    (ponds, stars)
}

fn rows(house: &House, revision: &mixed::MixedRevision) -> Vec<CorpusRow> {
    let place = house.store_dir().join(&revision.location);
    let file = File::open(place.join("data/train-00000-of-00001.parquet")).unwrap();
    CorpusParquetReader::open(file).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_become_one_corpus_the_same_in_another_house() {
    let mut commits = Vec::new();
    for _ in 0..2 {
        let scripted = Scripted::writer(4);
        let house = House::new(&[("remote", &scripted)]).await;
        let worker = house.worker("a").await;
        let (ponds, stars) = two_jobs(&house).await;
        let spec = mix(vec![source("stars", stars), source("ponds", ponds)]);
        let revision = made(&house, &spec).await;
        let content = &revision.manifest.content;
        assert_eq!((content.rows, content.partial), (64, false));
        let id = revision.manifest.run.corpus;
        assert_eq!(revision.manifest.run.sources, spec.sources);
        for stored in corpora::files(&house.db, Owner::Mixed(id), None).await.unwrap() {
            let path = house.store_dir().join(&stored.location).join(&stored.file.path);
            let bytes = std::fs::metadata(path).unwrap().len();
            assert_eq!(bytes, stored.file.bytes, "{}", stored.file.path);
        }
        assert_eq!(rows(&house, &revision).len(), 64);
        worker.shutdown(DRAIN).await;
        let scratch = house.scratch_dir("a").join("mixed").join(id.to_string());
        assert!(!scratch.exists(), "nothing is left behind");
        commits.push((revision.commit.clone(), content.clone()));
    }
    assert_eq!(commits[0], commits[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_has_a_name_and_what_was_published_stays() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let worker = house.worker("a").await;
    let (ponds, stars) = two_jobs(&house).await;
    let spec = mix(vec![source("ponds", ponds), source("stars", stars)]);
    let revision = made(&house, &spec).await;
    let id = revision.manifest.run.corpus;
    jobs::delete(&house.db, stars).await.unwrap();
    mixed::request(&house.db, id, None).await.unwrap();
    let failed = ended(&house, id).await;
    assert_eq!(failed.state, CorpusState::Failed);
    let (code, message) = failed.error.unwrap();
    assert_eq!(code, "source_missing");
    assert!(message.contains("stars") && message.contains(&stars.to_string()), "{message}");
    assert_eq!(failed.published.unwrap().commit, revision.commit);
    assert_eq!(rows(&house, &revision).len(), 64);

    mixed::delete(&house.db, id).await.unwrap();
    until("the corpus's removal", async || {
        (house.test_db.number("SELECT count(*) FROM mixed_corpora").await == 0).then_some(())
    })
    .await;
    worker.shutdown(DRAIN).await;
    assert!(!house.store_dir().join(&revision.location).join("README.md").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_gives_what_it_has_and_the_corpus_is_partial() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    scripted.hold_after(8);
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(4).await;
    house.until_ended(job, 8).await;
    let spec = mix(vec![source("ponds", job)]);
    let early = made(&house, &spec).await;
    assert_eq!((early.partial, early.manifest.content.rows), (true, 8));
    scripted.release();
    house.until(job, JobState::Succeeded).await;
    let id = early.manifest.run.corpus;
    mixed::request(&house.db, id, None).await.unwrap();
    ended(&house, id).await;
    let whole = mixed::by_id(&house.db, id).await.unwrap();
    assert_eq!((whole.partial, whole.manifest.content.rows, whole.revision), (false, 40, 2));
    worker.shutdown(DRAIN).await;
}
