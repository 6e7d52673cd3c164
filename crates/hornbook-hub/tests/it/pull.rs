use std::path::Path;
use std::sync::Mutex;

use axum::body::Bytes;
use axum::http::StatusCode;
use hornbook_hub::{PullError, PullProgress, PullSpec, pull_model};
use hornbook_inference::Secret;
use hornbook_inference::http::{Client, GuardPolicy};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::hub::{Handle, Serve, Shared, start};

const TOKEN: &str = "hf_secret_token";
const PART: &str = "sub/model.gguf.part";

/// 300 kB that repeat nowhere near a piece's length.
fn content() -> Bytes {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect::<Vec<u8>>()
        .into()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn spec(endpoint: &str, directory: &TempDir) -> PullSpec {
    PullSpec {
        endpoint: endpoint.to_owned(),
        token: Some(Secret::new(TOKEN)),
        repo: "org/name".into(),
        revision: "main".into(),
        file: "sub/model.gguf".into(),
        dest_dir: directory.path().to_owned(),
        expected_sha256: None,
    }
}

async fn pull(spec: &PullSpec) -> Result<std::path::PathBuf, PullError> {
    let client = Client::new(GuardPolicy::local()).unwrap();
    pull_model(&client, spec, &|_| {}).await
}

async fn started(plan: Vec<Serve>) -> (String, Handle, TempDir) {
    let shared = Shared { content: content(), plan: plan.into(), ..Shared::default() };
    let (url, handle) = start(shared).await;
    (url, handle, TempDir::new().unwrap())
}

fn is_whole(path: &Path) -> bool {
    std::fs::read(path).unwrap() == content()
}

#[tokio::test]
async fn pulls_a_file_without_showing_the_token_to_another_host() {
    let (url, handle, directory) = started(vec![]).await;
    handle.lock().unwrap().renames = 2;
    let reports = Mutex::new(Vec::new());
    let client = Client::new(GuardPolicy::local()).unwrap();
    let path = pull_model(&client, &spec(&url, &directory), &|report| {
        reports.lock().unwrap().push(report);
    })
    .await
    .unwrap();
    assert_eq!(path, directory.path().join("sub/model.gguf"));
    assert!(is_whole(&path));
    assert!(!directory.path().join(PART).exists());
    let whole = PullProgress { done_bytes: 300_000, total_bytes: Some(300_000) };
    assert_eq!(reports.lock().unwrap().last(), Some(&whole));

    let seen = handle.lock().unwrap();
    assert_eq!(seen.hub_saw[0].line, "HEAD /org/name/resolve/main/sub/model.gguf");
    assert_eq!(seen.hub_saw.len(), 6, "HEAD and GET, each after two renames");
    let bearer = format!("Bearer {TOKEN}");
    assert!(seen.hub_saw.iter().all(|seen| seen.authorization.as_ref() == Some(&bearer)));
    assert_eq!(seen.bytes_saw.len(), 1);
    assert!(seen.bytes_saw.iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn goes_on_where_a_connection_broke() {
    let plan = vec![Serve::CutAfter(100_000), Serve::ShortChunked(50_000)];
    let (url, handle, directory) = started(plan).await;
    assert!(is_whole(&pull(&spec(&url, &directory)).await.unwrap()));
    let ranges: Vec<_> =
        handle.lock().unwrap().bytes_saw.iter().map(|seen| seen.range.clone()).collect();
    let expected = [None, Some("bytes=100000-".to_owned()), Some("bytes=150000-".to_owned())];
    assert_eq!(ranges, expected);
}

#[tokio::test]
async fn goes_on_in_the_next_pull() {
    // The second connection brings nothing, so the first pull gives up.
    let (url, handle, directory) = started(vec![Serve::CutAfter(9_000), Serve::CutAfter(0)]).await;
    let spec = spec(&url, &directory);
    let broken = pull(&spec).await.unwrap_err();
    assert!(matches!(broken, PullError::Interrupted { done_bytes: 9_000, .. }), "{broken}");
    assert_eq!(std::fs::read(directory.path().join(PART)).unwrap(), content()[..9_000]);
    assert!(is_whole(&pull(&spec).await.unwrap()));
    let last = handle.lock().unwrap().bytes_saw.last().unwrap().clone();
    assert_eq!(last.range.as_deref(), Some("bytes=9000-"));

    // Whole and right: nothing more is fetched, and with an expected hash nobody is even asked.
    let (asked, fetched) = {
        let seen = handle.lock().unwrap();
        (seen.hub_saw.len(), seen.bytes_saw.len())
    };
    pull(&spec).await.unwrap();
    let known = PullSpec { expected_sha256: Some(sha256(&content()).to_uppercase()), ..spec };
    pull(&known).await.unwrap();
    let seen = handle.lock().unwrap();
    assert_eq!((seen.hub_saw.len(), seen.bytes_saw.len()), (asked + 1, fetched));
}

#[tokio::test]
async fn begins_again_where_a_server_knows_no_ranges_or_the_part_is_too_long() {
    let (url, _, directory) = started(vec![Serve::CutAfter(5_000), Serve::IgnoreRange]).await;
    assert!(is_whole(&pull(&spec(&url, &directory)).await.unwrap()));

    let (url, _, directory) = started(vec![]).await;
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    std::fs::write(directory.path().join(PART), vec![1; 400_000]).unwrap();
    assert!(is_whole(&pull(&spec(&url, &directory)).await.unwrap()));
}

#[tokio::test]
async fn refuses_other_bytes_than_were_meant() {
    let other = "a".repeat(64);
    // The server says at once that its file is another.
    let (url, handle, directory) = started(vec![]).await;
    let meant = PullSpec { expected_sha256: Some(other.clone()), ..spec(&url, &directory) };
    let refused = pull(&meant).await.unwrap_err();
    assert!(matches!(refused, PullError::WrongHash { .. }), "{refused}");
    assert!(handle.lock().unwrap().bytes_saw.is_empty());

    // The server claims one hash and sends bytes of another.
    handle.lock().unwrap().claimed_sha256 = other.clone();
    let refused = pull(&spec(&url, &directory)).await.unwrap_err();
    let actual = sha256(&content());
    assert!(
        matches!(&refused, PullError::WrongHash { expected, actual: got } if *expected == other && *got == actual),
        "{refused}"
    );
    assert!(!directory.path().join("sub/model.gguf").exists());
    assert!(!directory.path().join(PART).exists());
}

#[tokio::test]
async fn says_what_the_hub_said() {
    type IsExpected = fn(&PullError) -> bool;
    let cases: [(StatusCode, &str, IsExpected); 5] = [
        (StatusCode::NOT_FOUND, "EntryNotFound", |e| matches!(e, PullError::NotFound { .. })),
        (StatusCode::UNAUTHORIZED, "RepoNotFound", |e| matches!(e, PullError::NotFound { .. })),
        (StatusCode::UNAUTHORIZED, "GatedRepo", |e| matches!(e, PullError::NotAllowed { .. })),
        (StatusCode::FORBIDDEN, "GatedRepo", |e| matches!(e, PullError::NotAllowed { .. })),
        (StatusCode::TOO_MANY_REQUESTS, "", |e| matches!(e, PullError::Throttled { .. })),
    ];
    for (status, code, is_expected) in cases {
        let (url, handle, directory) = started(vec![]).await;
        handle.lock().unwrap().refusal = Some((status, code));
        let error = pull(&spec(&url, &directory)).await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("said the hub") && text.contains(status.as_str()), "{text}");
        assert!(!text.contains(TOKEN) && !format!("{error:?}").contains(TOKEN));
    }
    let (url, handle, directory) = started(vec![]).await;
    handle.lock().unwrap().refusal = Some((StatusCode::UNAUTHORIZED, "RepoNotFound"));
    let anonymous = PullSpec { token: None, ..spec(&url, &directory) };
    let error = pull(&anonymous).await.unwrap_err();
    assert!(matches!(error, PullError::NotAllowed { .. }), "{error}");
}

#[tokio::test]
async fn stops_at_circles_and_at_guarded_addresses() {
    let (url, handle, directory) = started(vec![]).await;
    handle.lock().unwrap().renames = usize::MAX;
    let error = pull(&spec(&url, &directory)).await.unwrap_err();
    assert!(matches!(error, PullError::Unexpected(_)), "{error}");
    assert_eq!(handle.lock().unwrap().hub_saw.len(), 6);

    let client = Client::new(GuardPolicy::public()).unwrap();
    let error = pull_model(&client, &spec(&url, &directory), &|_| {}).await.unwrap_err();
    assert!(matches!(error, PullError::Http(_)), "{error}");
    assert_eq!(handle.lock().unwrap().hub_saw.len(), 6, "nothing was sent");
}

#[tokio::test]
async fn two_pulls_do_not_write_one_file() {
    let (url, _, directory) = started(vec![]).await;
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let held = std::fs::File::create(directory.path().join(PART)).unwrap();
    held.lock().unwrap();
    let error = pull(&spec(&url, &directory)).await.unwrap_err();
    assert!(matches!(error, PullError::Busy(_)), "{error}");
    drop(held);
    pull(&spec(&url, &directory)).await.unwrap();
}
