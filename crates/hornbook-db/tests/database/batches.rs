//! Batches: noted before they are made, found by what they ask.

use std::time::Duration;

use hornbook_db::endpoints::{self, Secret};
use hornbook_db::{DbError, batches};
use hornbook_types::{EndpointKind, EndpointPreset, EndpointSpec};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::slug;

async fn endpoint(test: &TestDb, name: &str) -> Uuid {
    let spec = EndpointSpec {
        kind: EndpointKind::OpenaiBatch,
        preset: Some(EndpointPreset::Openai),
        base_url: "https://one.example/v1".to_owned(),
        model: "small".to_owned(),
        limits: Default::default(),
        price: Default::default(),
        options: Default::default(),
    };
    let (made, _) = endpoints::put(&test.db, &slug(name), &spec, Secret::Clear).await.unwrap();
    assert_eq!(made.spec, spec, "kind and preset come back");
    made.id
}

fn ids(range: std::ops::Range<u8>) -> Vec<Vec<u8>> {
    range.map(|number| vec![number; 16]).collect()
}

#[tokio::test]
async fn a_request_finds_the_batches_that_it_is_in() {
    let test = TestDb::new().await;
    let (one, other) = (endpoint(&test, "one").await, endpoint(&test, "other").await);
    batches::begin(&test.db, one, "first", &ids(0..4)).await.unwrap();
    batches::begin(&test.db, one, "second", &ids(3..6)).await.unwrap();
    batches::begin(&test.db, other, "first", &ids(0..9)).await.unwrap();
    batches::created(&test.db, one, "first", "batch_1").await.unwrap();
    let unknown = batches::created(&test.db, one, "third", "batch_3").await;
    assert!(matches!(unknown, Err(DbError::NotFound(_))), "{unknown:?}");

    let found = batches::find(&test.db, one, &ids(2..9)).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|batch| (batch.key.as_str(), batch.batch_id.as_deref(), batch.requests.len()))
        .collect();
    assert_eq!(told, [("second", None, 3), ("first", Some("batch_1"), 2)], "newest first");
    assert!(batches::find(&test.db, one, &ids(7..9)).await.unwrap().is_empty());

    batches::forget(&test.db, one, "second").await.unwrap();
    batches::forget(&test.db, one, "second").await.unwrap();
    let found = batches::find(&test.db, one, &ids(3..6)).await.unwrap();
    assert_eq!((found.len(), found[0].key.as_str()), (1, "first"));
}

#[tokio::test]
async fn what_is_too_old_is_forgotten_with_the_next_batch() {
    let test = TestDb::new().await;
    let one = endpoint(&test, "one").await;
    batches::begin(&test.db, one, "old", &ids(0..2)).await.unwrap();
    batches::begin(&test.db, one, "young", &ids(0..2)).await.unwrap();
    for (key, days) in [("old", 26), ("young", 24)] {
        sqlx::query(
            "UPDATE batches SET created_at = now() - make_interval(days => $2) WHERE key = $1",
        )
        .bind(key)
        .bind(days)
        .execute(&test.raw)
        .await
        .unwrap();
    }
    batches::begin(&test.db, one, "new", &ids(5..6)).await.unwrap();
    let found = batches::find(&test.db, one, &ids(0..2)).await.unwrap();
    assert_eq!((found.len(), found[0].key.as_str()), (1, "young"));
    let other = endpoint(&test, "other").await;
    assert!(endpoints::gone(&test.db, &[one, other]).await.unwrap().is_empty());
    endpoints::delete(&test.db, &slug("one")).await.unwrap();
    assert_eq!(endpoints::gone(&test.db, &[one, other]).await.unwrap(), [one]);
    assert!(batches::find(&test.db, one, &ids(0..9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_batches_with_one_request_one_is_claimed() {
    let test = TestDb::new().await;
    let one = endpoint(&test, "one").await;
    let claim = async |key: &str, passed: &[&str]| {
        let passed: Vec<String> = passed.iter().map(|key| (*key).to_owned()).collect();
        batches::claim(&test.db, one, key, &passed).await.unwrap()
    };
    assert!(!claim("first", &[]).await, "nobody noted it");
    for (key, range) in [("first", 0..4), ("second", 3..6), ("apart", 6..7)] {
        batches::begin(&test.db, one, key, &ids(range.clone())).await.unwrap();
        // Whether the first try came through is not always known.
        batches::begin(&test.db, one, key, &ids(range)).await.unwrap();
    }
    assert!(!claim("second", &[]).await, "the first was noted before");
    assert!(claim("second", &["first"]).await, "and is known to have no answer");
    assert!(!claim("first", &[]).await, "the second is claimed");
    assert!(claim("second", &["first"]).await, "once more, before the next try");
    assert!(claim("apart", &[]).await);
    batches::forget(&test.db, one, "second").await.unwrap();
    assert!(claim("first", &[]).await);
}

#[tokio::test]
async fn a_batch_is_given_up_only_when_its_maker_has_had_the_time() {
    let test = TestDb::new().await;
    let one = endpoint(&test, "one").await;
    let (uploading, making) = (Duration::from_secs(900), Duration::from_secs(3_600));
    let give_up =
        async |key: &str| batches::give_up(&test.db, one, key, uploading, making).await.unwrap();
    let since = async |key: &str, noted: f64, claimed: Option<f64>| {
        batches::begin(&test.db, one, key, &ids(0..2)).await.unwrap();
        sqlx::query(
            "UPDATE batches SET created_at = now() - make_interval(secs => $2),
                                claimed_at = now() - make_interval(secs => $3) WHERE key = $1",
        )
        .bind(key)
        .bind(noted)
        .bind(claimed)
        .execute(&test.raw)
        .await
        .unwrap();
    };
    since("uploading", 890.0, None).await;
    since("dead", 910.0, None).await;
    since("making", 9_000.0, Some(3_590.0)).await;
    since("lost", 9_000.0, Some(3_610.0)).await;
    since("named", 9_000.0, Some(9_000.0)).await;
    batches::created(&test.db, one, "named", "batch_1").await.unwrap();
    let mut given_up = Vec::new();
    for key in ["uploading", "dead", "making", "lost", "named", "nobody's"] {
        given_up.push(give_up(key).await);
    }
    assert_eq!(given_up, [false, true, false, true, false, false]);
    let ages = batches::find(&test.db, one, &ids(0..1)).await.unwrap();
    assert!(ages.iter().all(|batch| batch.age >= Duration::from_secs(880)), "{ages:?}");
}
