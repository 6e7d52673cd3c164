//! Batches: noted before they are made, found by what they ask.

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
    endpoints::delete(&test.db, &slug("one")).await.unwrap();
    assert!(batches::find(&test.db, one, &ids(0..9)).await.unwrap().is_empty());
}
