//! Endpoints: keys stay sealed, and with the server that they were given for.

use std::collections::BTreeSet;

use hornbook_db::endpoints::{self, ModelFile, Secret};
use hornbook_db::{Conflict, DbError, SecretKey, jobs};
use hornbook_types::{EndpointKind, EndpointSpec, EndpointState, LOCAL_ENDPOINT};

use crate::common::TestDb;
use crate::fixtures::{slug, submitted};

pub(crate) fn openai(base_url: &str) -> EndpointSpec {
    EndpointSpec {
        kind: EndpointKind::Openai,
        preset: None,
        base_url: base_url.to_owned(),
        model: "small".to_owned(),
        limits: Default::default(),
        price: Default::default(),
        options: Default::default(),
    }
}

#[tokio::test]
async fn a_key_goes_with_its_server_and_is_never_shown() {
    let test = TestDb::new().await;
    let db = test.db.clone().with_secret_key(SecretKey::from_bytes([9; 32]));
    let name = slug("remote");
    let set = Secret::Set("sk-very-secret".to_owned());
    assert!(!format!("{set:?}").contains("sk-"));
    let (made, created) =
        endpoints::put(&db, &name, &openai("https://one.example/v1"), set.clone()).await.unwrap();
    assert!(created && made.has_secret);
    assert!(!format!("{made:?}").contains("sk-"));
    let (opened, key) = endpoints::open(&db, &name).await.unwrap();
    assert_eq!((opened, key.as_deref()), (made.clone(), Some("sk-very-secret")));
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT secret FROM endpoints").fetch_one(&test.raw).await.unwrap();
    assert!(!stored.windows(4).any(|window| window == b"very"), "sealed");

    let same = openai("https://one.example:443/other/v1");
    let (kept, created) = endpoints::put(&db, &name, &same, Secret::Keep).await.unwrap();
    assert!(!created && kept.has_secret);
    assert_eq!((kept.id, kept.revision), (made.id, made.revision + 1));

    for moved in ["http://one.example/v1", "https://two.example/v1", "https://one.example:8443/v1"]
    {
        endpoints::put(&db, &name, &openai("https://one.example/v1"), set.clone()).await.unwrap();
        let (cleared, _) = endpoints::put(&db, &name, &openai(moved), Secret::Keep).await.unwrap();
        assert!(!cleared.has_secret, "{moved}");
        assert_eq!(endpoints::open(&db, &name).await.unwrap().1, None);
    }
    let again = openai("https://three.example/v1");
    let (resent, _) = endpoints::put(&db, &name, &again, set.clone()).await.unwrap();
    assert!(resent.has_secret);
    let (cleared, _) = endpoints::put(&db, &name, &again, Secret::Clear).await.unwrap();
    assert!(!cleared.has_secret);

    // A sealed key moved to another row opens nothing there.
    endpoints::put(&db, &name, &again, set).await.unwrap();
    endpoints::put(&db, &slug("thief"), &openai("https://evil.example/"), Secret::Clear)
        .await
        .unwrap();
    test.sql(
        "UPDATE endpoints SET secret = (SELECT secret FROM endpoints WHERE name = 'remote')
          WHERE name = 'thief'",
    )
    .await;
    assert!(matches!(endpoints::open(&db, &slug("thief")).await, Err(DbError::Other(_))));
    // Without the key of this installation nothing opens at all.
    assert!(endpoints::open(&test.db, &name).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_opened_with_the_address_that_it_was_given_for() {
    let test = TestDb::new().await;
    let db = test.db.clone().with_secret_key(SecretKey::from_bytes([9; 32]));
    let name = slug("remote");
    let put = async |number: u32| {
        let spec = openai(&format!("https://{number}.example/v1"));
        let key = Secret::Set(format!("sk-for-{number}"));
        endpoints::put(&db, &name, &spec, key).await.unwrap();
    };
    put(0).await;
    let edits = async {
        for number in 1..=50 {
            put(number).await;
        }
    };
    let opens = async {
        let mut seen = BTreeSet::new();
        loop {
            let (endpoint, key) = endpoints::open(&db, &name).await.unwrap();
            let key = key.unwrap();
            let number = key.strip_prefix("sk-for-").unwrap();
            assert_eq!(endpoint.spec.base_url, format!("https://{number}.example/v1"));
            seen.insert(key);
            if seen.len() > 5 && seen.contains("sk-for-50") {
                return;
            }
        }
    };
    tokio::join!(edits, opens);
}

#[tokio::test]
async fn the_local_endpoint_is_made_once() {
    let test = TestDb::new().await;
    let why = Some("fetch the model first");
    assert!(endpoints::ensure_local(&test.db, EndpointState::Unavailable, why).await.unwrap());
    assert!(!endpoints::ensure_local(&test.db, EndpointState::Ready, None).await.unwrap());
    let local = endpoints::get(&test.db, &slug(LOCAL_ENDPOINT)).await.unwrap();
    assert_eq!((local.spec.kind, local.state), (EndpointKind::Local, EndpointState::Unavailable));
    assert_eq!(local.message.as_deref(), why);
}

#[tokio::test]
async fn a_pause_is_for_a_user_to_end() {
    let test = TestDb::new().await;
    let name = slug("remote");
    endpoints::put(&test.db, &name, &openai("https://one.example/v1"), Secret::Clear)
        .await
        .unwrap();
    let set = |state, message| endpoints::set_state(&test.db, &name, state, message);
    assert!(set(EndpointState::Unavailable, Some("connection refused")).await.unwrap());
    assert!(!set(EndpointState::Unavailable, Some("connection refused")).await.unwrap(), "no news");
    assert!(set(EndpointState::Ready, None).await.unwrap());
    assert!(set(EndpointState::Paused, Some("the key was refused")).await.unwrap());
    assert!(!set(EndpointState::Ready, None).await.unwrap());
    let found = endpoints::get(&test.db, &name).await.unwrap();
    assert_eq!(
        (found.state, found.message.as_deref()),
        (EndpointState::Paused, Some("the key was refused"))
    );
    let resumed = endpoints::resume(&test.db, &name).await.unwrap();
    assert_eq!((resumed.state, resumed.message), (EndpointState::Ready, None));
    assert_eq!(endpoints::pause(&test.db, &name).await.unwrap().state, EndpointState::Paused);
}

#[tokio::test]
async fn an_endpoint_in_use_stays() {
    let test = TestDb::new().await;
    let local = slug(LOCAL_ENDPOINT);
    endpoints::ensure_local(&test.db, EndpointState::Ready, None).await.unwrap();
    let job = submitted(&test.db, 4).await;
    let refused = endpoints::delete(&test.db, &local).await;
    assert!(matches!(refused, Err(DbError::Conflict(Conflict::InUse))), "{refused:?}");
    jobs::cancel(&test.db, job).await.unwrap();
    endpoints::delete(&test.db, &local).await.unwrap();
    assert!(matches!(endpoints::delete(&test.db, &local).await, Err(DbError::NotFound(_))));
    assert!(matches!(endpoints::pause(&test.db, &local).await, Err(DbError::NotFound(_))));
}

#[tokio::test]
async fn endpoints_are_listed_by_name_in_pages() {
    let test = TestDb::new().await;
    for name in ["c", "a", "b"] {
        endpoints::put(&test.db, &slug(name), &openai("https://x.example/"), Secret::Clear)
            .await
            .unwrap();
    }
    let first = endpoints::list(&test.db, None, 2).await.unwrap();
    let rest = endpoints::list(&test.db, Some(&first[1].name), 2).await.unwrap();
    let names: Vec<_> = first.iter().chain(&rest).map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn the_model_file_of_an_endpoint_is_known_to_all() {
    let test = TestDb::new().await;
    let name = slug(LOCAL_ENDPOINT);
    let model = ModelFile {
        model: "small".to_owned(),
        sha256: Some("0".repeat(64)),
        instruction_set: None,
    };
    let missing = endpoints::note_model(&test.db, &name, &model).await;
    assert!(matches!(missing, Err(DbError::NotFound(_))), "{missing:?}");
    endpoints::ensure_local(&test.db, EndpointState::Ready, None).await.unwrap();
    assert_eq!(endpoints::noted_model(&test.db, &name).await.unwrap(), None);
    endpoints::note_model(&test.db, &name, &model).await.unwrap();
    assert_eq!(endpoints::noted_model(&test.db, &name).await.unwrap(), Some(model));
}
