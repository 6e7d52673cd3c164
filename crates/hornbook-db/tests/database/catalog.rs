//! The catalog: immutable versions, and built-in ones beside users' own.

use hornbook_db::catalog::{self, Builtin, BuiltinSeedSet, Synced};
use hornbook_db::{Conflict, DbError, Expect, Origin, audiences, seed_sets, seeds, templates};
use serde_json::json;

use crate::common::TestDb;
use crate::fixtures::{audience, object, slug, template};

#[tokio::test]
async fn versions_are_written_once_and_never_changed() {
    let test = TestDb::new().await;
    let (db, name) = (&test.db, slug("middle-school"));
    let put = |title: &str, expect| {
        let spec = audience(title);
        let name = name.clone();
        async move { audiences::put(db, &name, &spec, expect).await }
    };
    let stale = put("One", Expect::Latest(1)).await;
    assert!(matches!(stale, Err(DbError::Conflict(Conflict::Stale { latest: 0 }))), "{stale:?}");
    let first = put("One", Expect::Absent).await.unwrap();
    assert_eq!((first.version, first.created), (1, true));
    let same = put("One", Expect::Absent).await.unwrap();
    assert_eq!((same.version, same.created), (1, false));
    let needed = put("Two", Expect::Absent).await;
    assert!(matches!(needed, Err(DbError::Conflict(Conflict::VersionNeeded { latest: 1 }))));
    assert_eq!(put("Two", Expect::Latest(1)).await.unwrap().version, 2);
    let stale = put("Three", Expect::Latest(1)).await;
    assert!(matches!(stale, Err(DbError::Conflict(Conflict::Stale { latest: 2 }))));
    assert_eq!(put("Three", Expect::Any).await.unwrap().version, 3);

    let title = |reference: &str| {
        let reference = reference.parse().unwrap();
        async move { audiences::get(db, &reference).await.map(|found| found.spec.title) }
    };
    assert_eq!(title("middle-school@1").await.unwrap(), "One");
    assert_eq!(title("middle-school").await.unwrap(), "Three");
    assert!(matches!(title("middle-school@4").await, Err(DbError::NotFound("audience"))));
    assert_eq!(audiences::versions(db, &name).await.unwrap().len(), 3);
}

#[tokio::test]
async fn writers_at_the_same_time_make_distinct_versions() {
    let test = TestDb::new().await;
    let name = slug("story");
    let mut tasks = Vec::new();
    for number in 0..8 {
        let (db, name) = (test.db.clone(), name.clone());
        tasks.push(tokio::spawn(async move {
            templates::put(&db, &name, &template(&format!("body {number}")), Expect::Any).await
        }));
    }
    let mut versions = Vec::new();
    for task in tasks {
        versions.push(task.await.unwrap().unwrap().version);
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn audiences_go_up_the_ladder() {
    let test = TestDb::new().await;
    for (name, rank) in
        [("general", None), ("college", Some(5)), ("toddler", Some(0)), ("adult", None)]
    {
        let spec = hornbook_types::AudienceSpec { rank, ..audience(name) };
        audiences::put(&test.db, &slug(name), &spec, Expect::Absent).await.unwrap();
    }
    let first = audiences::list(&test.db, None, 3).await.unwrap();
    let rest = audiences::list(&test.db, Some(&first[2].pinned.slug), 3).await.unwrap();
    let names: Vec<_> = first.iter().chain(&rest).map(|found| found.pinned.slug.as_str()).collect();
    assert_eq!(names, ["toddler", "college", "adult", "general"]);
}

#[tokio::test]
async fn templates_are_found_by_format_and_text() {
    let test = TestDb::new().await;
    let faq =
        hornbook_types::TemplateSpec { format: slug("faq"), ..template("Ask about 100%_sure") };
    templates::put(&test.db, &slug("story"), &template("Tell a Tale"), Expect::Absent)
        .await
        .unwrap();
    templates::put(&test.db, &slug("faq"), &faq, Expect::Absent).await.unwrap();
    let find = |format: Option<&str>, text: Option<&str>| {
        let filter = templates::Filter { format: format.map(slug), text: text.map(str::to_owned) };
        let db = &test.db;
        async move {
            let found = templates::list(db, &filter, None, 10).await.unwrap();
            found.iter().map(|found| found.pinned.to_string()).collect::<Vec<_>>()
        }
    };
    assert_eq!(find(None, None).await, ["faq@1", "story@1"]);
    assert_eq!(find(Some("story"), None).await, ["story@1"]);
    assert_eq!(find(None, Some("tale")).await, ["story@1"]);
    assert_eq!(find(None, Some("0%_s")).await, ["faq@1"], "text is no pattern");
    assert!(find(Some("faq"), Some("tale")).await.is_empty());
    let found = templates::get(&test.db, &"faq".parse().unwrap()).await.unwrap();
    assert_eq!((found.spec, found.origin), (faq, Origin::User));
}

fn builtin(body: &str, topics: &[&str]) -> Builtin {
    Builtin {
        audiences: [(slug("toddler"), audience("Toddler"))].into(),
        templates: [(slug("story"), template(body))].into(),
        seed_sets: vec![BuiltinSeedSet {
            slug: slug("starter"),
            license: "CC0-1.0".to_owned(),
            source: None,
            records: topics.iter().map(|topic| object(json!({ "topic": topic }))).collect(),
        }],
    }
}

#[tokio::test]
async fn the_builtin_catalog_is_loaded_once_and_follows_its_files() {
    let test = TestDb::new().await;
    let db = &test.db;
    let first = builtin("one", &["apples"]);
    assert_eq!(catalog::sync(db, &first).await.unwrap(), Synced { written: 3, kept: 0 });
    assert_eq!(catalog::sync(db, &first).await.unwrap(), Synced::default());
    let changed = builtin("two", &["apples", "pears"]);
    assert_eq!(catalog::sync(db, &changed).await.unwrap(), Synced { written: 2, kept: 0 });
    let story = templates::get(db, &"story".parse().unwrap()).await.unwrap();
    assert_eq!((story.pinned.version, story.origin), (2, Origin::Builtin));
    let starter = seed_sets::get(db, &"starter".parse().unwrap()).await.unwrap();
    assert_eq!((starter.pinned.version, starter.count, starter.origin), (2, 2, Origin::Builtin));
    assert_eq!(seeds::page(db, &"starter@1".parse().unwrap(), 0, 10).await.unwrap().len(), 1);
    // Back again: a change like any other.
    assert_eq!(catalog::sync(db, &first).await.unwrap(), Synced { written: 2, kept: 0 });
}

#[tokio::test]
async fn a_users_edit_stays_the_latest() {
    let test = TestDb::new().await;
    let db = &test.db;
    catalog::sync(db, &builtin("one", &["apples"])).await.unwrap();
    templates::put(db, &slug("story"), &template("mine"), Expect::Latest(1)).await.unwrap();
    let mut import = seed_sets::begin(db, &slug("starter"), "CC0-1.0", None).await.unwrap();
    import.push(&[object(json!({ "topic": "mine" }))]).await.unwrap();
    import.finish().await.unwrap();

    let same = catalog::sync(db, &builtin("one", &["apples"])).await.unwrap();
    assert_eq!(same, Synced::default());
    let newer = builtin("two", &["apples", "pears"]);
    assert_eq!(catalog::sync(db, &newer).await.unwrap(), Synced { written: 0, kept: 2 });
    assert_eq!(catalog::sync(db, &newer).await.unwrap(), Synced::default());
    let story = templates::get(db, &"story".parse().unwrap()).await.unwrap();
    assert_eq!((story.spec.body.as_str(), story.origin), ("mine", Origin::User));
    let starter = seed_sets::get(db, &"starter".parse().unwrap()).await.unwrap();
    assert_eq!((starter.pinned.version, starter.origin), (2, Origin::User));
}

#[tokio::test]
async fn field_names_of_a_seed_set_are_bounded() {
    let test = TestDb::new().await;
    let mut import = seed_sets::begin(&test.db, &slug("many"), "CC0-1.0", None).await.unwrap();
    let own = |name: String| json!({ name: 1 }).as_object().unwrap().clone();
    let batch: Vec<_> = (0..4_096).map(|number| own(format!("k{number}"))).collect();
    import.push(&batch).await.unwrap();
    let told = import.push(&[own("one-more".to_owned())]).await.unwrap_err().to_string();
    assert!(told.contains("record 4096") && told.contains("4096"), "{told}");
    drop(import);
    let mut import = seed_sets::begin(&test.db, &slug("long"), "CC0-1.0", None).await.unwrap();
    let told = import.push(&[own("k".repeat(257))]).await.unwrap_err().to_string();
    assert!(told.contains("record 0") && told.contains("256 bytes"), "{told}");
}
