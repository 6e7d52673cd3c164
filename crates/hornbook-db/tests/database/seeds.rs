//! Seed sets: numbered records, whole or not at all.

use hornbook_db::{DbError, seed_sets, seeds};
use serde_json::json;

use crate::common::TestDb;
use crate::fixtures::{object, slug};

#[tokio::test]
async fn records_are_numbered_in_order_and_fields_counted() {
    let test = TestDb::new().await;
    let (db, name) = (&test.db, slug("topics"));
    let mut import = seed_sets::begin(db, &name, "CC0-1.0", Some("by hand")).await.unwrap();
    let records: Vec<_> = (0..25)
        .map(|number| match number % 5 {
            0 => object(json!({ "topic": format!("t{number}"), "level": number })),
            _ => object(
                json!({ "topic": format!("t{number}"), "nested": {"a": [1, null, "\\u0000"]} }),
            ),
        })
        .collect();
    for batch in records.chunks(10) {
        import.push(batch).await.unwrap();
    }
    assert_eq!(import.count(), 25);
    assert!(seed_sets::get(db, &"topics".parse().unwrap()).await.is_err(), "not before the end");
    let (pinned, stored) = import.finish().await.unwrap();
    assert_eq!((pinned.to_string().as_str(), stored.created), ("topics@1", true));

    let set = seed_sets::get(db, &"topics".parse().unwrap()).await.unwrap();
    assert_eq!(
        (set.count, set.license.as_str(), set.source.as_deref()),
        (25, "CC0-1.0", Some("by hand"))
    );
    let fields: Vec<_> = set.fields.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(fields, [("level", 5), ("nested", 20), ("topic", 25)]);
    let page = seeds::page(db, &pinned, 20, 100).await.unwrap();
    assert_eq!(page.iter().map(|seed| seed.seq).collect::<Vec<_>>(), [20, 21, 22, 23, 24]);
    assert_eq!(page[3].data, records[23]);
    let some = seeds::by_seqs(db, &pinned, &[24, 3, 99, 3]).await.unwrap();
    assert_eq!(some.iter().map(|seed| seed.seq).collect::<Vec<_>>(), [3, 24]);
    assert!(seeds::by_seqs(db, &"topics@2".parse().unwrap(), &[0]).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_kept_of_a_failed_import() {
    let test = TestDb::new().await;
    let (db, name) = (&test.db, slug("topics"));
    for (bad, what) in [
        (object(json!({ "topic": "a\0b" })), "U+0000"),
        (object(json!({ "deep": [{ "k\0": 1 }] })), "U+0000"),
        (object(json!({ "long": "x".repeat(300_000) })), "bytes"),
        ((0..300).map(|field| (format!("f{field}"), json!(1))).collect(), "fields"),
    ] {
        let mut import = seed_sets::begin(db, &name, "CC0-1.0", None).await.unwrap();
        import.push(&[object(json!({ "topic": "fine" })), object(json!({}))]).await.unwrap();
        match import.push(&[object(json!({ "topic": "fine" })), bad]).await {
            Err(DbError::BadData(message)) => {
                assert!(message.contains(what) && message.contains("record 3"), "{message}");
            }
            other => panic!("{other:?}"),
        }
        drop(import);
    }
    let empty = seed_sets::begin(db, &name, "CC0-1.0", None).await.unwrap();
    assert!(matches!(empty.finish().await, Err(DbError::BadData(_))));
    let left = seed_sets::begin(db, &name, "CC0-1.0", None).await.unwrap();
    left.abandon().await.unwrap();
    assert_eq!(test.number("SELECT count(*) FROM seed_sets").await, 0);
    assert_eq!(test.number("SELECT count(*) FROM seeds").await, 0);
}

#[tokio::test]
async fn the_same_import_is_the_same_version() {
    let test = TestDb::new().await;
    let (db, name) = (&test.db, slug("topics"));
    let import = |license: &'static str, topic: &'static str| {
        let name = name.clone();
        async move {
            let mut import = seed_sets::begin(db, &name, license, None).await.unwrap();
            import.push(&[object(json!({ "topic": topic }))]).await.unwrap();
            let (pinned, stored) = import.finish().await.unwrap();
            (pinned.version, stored.created)
        }
    };
    assert_eq!(import("CC0-1.0", "a").await, (1, true));
    assert_eq!(import("CC0-1.0", "a").await, (1, false));
    assert_eq!(import("CC-BY-4.0", "a").await, (2, true));
    assert_eq!(import("CC-BY-4.0", "b").await, (3, true));
    assert_eq!(test.number("SELECT count(*) FROM seeds").await, 3);
    assert_eq!(seed_sets::versions(db, &name).await.unwrap().len(), 3);
    let listed = seed_sets::list(db, None, 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].pinned.version), (1, 3));
    assert!(seed_sets::list(db, Some(&name), 10).await.unwrap().is_empty());
}
