//! Datasets as the Hub's clients read them: every request that they make, and what they need in the answer.

use axum::body::Body;
use hornbook_types::Scope;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{Reply, TestApp, ask};
use crate::fixtures::{catalog, publish, run_all, submitted};

const COMMIT: &str = "abababababababababababababababababababab";
const PARQUET: &str = "data/train-00000-of-00001.parquet";

/// A service with one published corpus, and its job.
async fn published(app: &TestApp, data: &[u8]) -> Uuid {
    catalog(app).await;
    let id = submitted(app, 6).await;
    run_all(app).await;
    publish(app, id, data).await;
    id
}

fn some_data() -> Vec<u8> {
    (0..100_000_u32).map(|n| (n % 251) as u8).collect()
}

async fn head(app: &TestApp, path: &str) -> Reply {
    app.send(ask("HEAD", path).body(Body::empty()).unwrap()).await
}

/// Asserts a whole problem, in the headers too, and gives it.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, error_code: &str) -> Value {
    let problem = reply.problem(status, code);
    assert_eq!(reply.header("x-error-code"), error_code, "{problem}");
    assert_eq!(reply.header("x-error-message"), problem["detail"], "{problem}");
    problem
}

#[tokio::test]
async fn files_are_resolved_whole_and_in_ranges() {
    let app = TestApp::new().await;
    let data = some_data();
    let id = published(&app, &data).await;
    for revision in ["main", COMMIT] {
        let url = format!("/datasets/jobs/{id}/resolve/{revision}/{PARQUET}");
        let first = head(&app, &url).await;
        assert_eq!((first.status.as_u16(), first.body.len()), (200, 0));
        let whole = app.get(&url).await;
        assert_eq!(whole.body, data);
        for reply in [&first, &whole] {
            assert_eq!(reply.header("x-repo-commit"), COMMIT);
            assert_eq!(reply.header("content-length"), "100000");
            assert_eq!(reply.header("accept-ranges"), "bytes");
            assert_eq!(reply.header("etag").len(), 66, "a quoted SHA-256");
            assert!(!reply.headers.contains_key("content-encoding"));
            assert!(!reply.headers.contains_key("location"));
            let xet = reply.headers.keys().any(|name| name.as_str().starts_with("x-xet"));
            assert!(!xet, "{:?}", reply.headers);
        }
        for (range, start, end) in [
            ("bytes=0-99", 0, 100),
            ("bytes=99990-", 99_990, 100_000),
            ("bytes=-262144", 0, 100_000),
        ] {
            let headers = [("range", range), ("accept-encoding", "gzip, br")];
            let reply = app.get_with(&url, &headers).await;
            assert_eq!(reply.status.as_u16(), 206, "{range}");
            assert_eq!(reply.body, data[start..end], "{range}");
            assert_eq!(reply.header("x-repo-commit"), COMMIT, "{range}");
            assert!(!reply.headers.contains_key("content-encoding"));
        }
        let past = app.get_with(&url, &[("range", "bytes=100000-")]).await;
        past.problem(416, "range_not_satisfiable");
        assert_eq!(past.header("content-range"), "bytes */100000");
    }
}

#[tokio::test]
async fn what_is_missing_says_what_is_missing() {
    let app = TestApp::new().await;
    let id = published(&app, b"data").await;
    let base = format!("/datasets/jobs/{id}/resolve");
    // Clients probe for these before they read anything.
    for path in [
        format!("{id}.py"),
        ".huggingface.yaml".to_owned(),
        "dataset_infos.json".to_owned(),
        "data".to_owned(),
        "data/".to_owned(),
        "../README.md".to_owned(),
        "README.md%00".to_owned(),
        "%2e%2e%2fREADME.md".to_owned(),
    ] {
        for revision in ["main", COMMIT] {
            let url = format!("{base}/{revision}/{path}");
            let reply = app.get(&url).await;
            refused(&reply, 404, "not_found", "EntryNotFound");
            assert_eq!(reply.header("x-repo-commit"), COMMIT, "{url}");
            let reply = head(&app, &url).await;
            assert_eq!((reply.status.as_u16(), reply.body.len()), (404, 0), "{url}");
            assert_eq!(reply.header("x-error-code"), "EntryNotFound", "{url}");
            assert_eq!(reply.header("x-repo-commit"), COMMIT, "{url}");
        }
    }
    let api = format!("/api/datasets/jobs/{id}");
    let other = "cd".repeat(20);
    for revision in [other.as_str(), "refs%2Fconvert%2Fparquet", "v1", "mai", &COMMIT[..39]] {
        for url in [
            format!("{base}/{revision}/README.md"),
            format!("{api}/revision/{revision}"),
            format!("{api}/tree/{revision}"),
            format!("{api}/tree/{revision}/data"),
        ] {
            refused(&app.get(&url).await, 404, "not_found", "RevisionNotFound");
        }
    }
    let directory = app.get(&format!("{api}/tree/main/nothing")).await;
    refused(&directory, 404, "not_found", "EntryNotFound");
    let nobody = "01900000-0000-7000-8000-000000000000";
    for name in [format!("jobs/{nobody}"), "jobs/squad".to_owned(), format!("users/{id}")] {
        for url in [
            format!("/datasets/{name}/resolve/main/README.md"),
            format!("/datasets/{name}/resolve/{COMMIT}/README.md"),
            format!("/api/datasets/{name}"),
            format!("/api/datasets/{name}/revision/main"),
            format!("/api/datasets/{name}/tree/main"),
            format!("/api/datasets/{name}/refs"),
        ] {
            refused(&app.get(&url).await, 404, "not_found", "RepoNotFound");
        }
    }
}

#[tokio::test]
async fn a_dataset_says_what_it_is() {
    let app = TestApp::new().await;
    let id = published(&app, b"data").await;
    let api = format!("/api/datasets/jobs/{id}");
    let info = app.get(&api).await.expect(200);
    assert_eq!(info["id"], format!("jobs/{id}"));
    assert_eq!(info["sha"], COMMIT);
    for flag in ["private", "gated", "disabled"] {
        assert_eq!(info[flag], false, "{flag}");
    }
    assert_eq!(info["tags"], json!(["hornbook"]));
    assert_eq!(info["cardData"]["pretty_name"], "a job");
    assert_eq!(info["siblings"], json!([{"rfilename": "README.md"}, {"rfilename": PARQUET}]));
    let modified = info["lastModified"].as_str().unwrap();
    assert_eq!((modified.len(), &modified[19..20], &modified[23..]), (24, ".", "Z"), "{modified}");
    for revision in ["main", COMMIT] {
        // Newer clients name the fields that they want, one parameter each.
        let url = format!("{api}/revision/{revision}?expand=sha&expand=siblings");
        assert_eq!(app.get(&url).await.expect(200), info);
    }
    let blobs = app.get(&format!("{api}?blobs=True")).await.expect(200);
    assert_eq!(blobs["siblings"][1]["size"], 4);
    assert_eq!(blobs["siblings"][1]["lfs"]["sha256"].as_str().unwrap().len(), 64);
    let refs = app.get(&format!("{api}/refs")).await.expect(200);
    let main = json!({"name": "main", "ref": "refs/heads/main", "targetCommit": COMMIT});
    assert_eq!(refs, json!({"branches": [main], "tags": [], "converts": []}));
}

#[tokio::test]
async fn a_tree_is_listed_in_pages() {
    let app = TestApp::new().await;
    let id = published(&app, b"data").await;
    let api = format!("/api/datasets/jobs/{id}/tree/main");
    let paths = |entries: &Value| -> Vec<String> {
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["README.md", "data", PARQUET];
    for asked in ["recursive=true", "recursive=True&expand=False", "recursive=TRUE&expand=1"] {
        let entries = app.get(&format!("{api}?{asked}")).await.expect(200);
        assert_eq!(paths(&entries), all, "{asked}");
        assert_eq!(entries[0].get("lastCommit").is_some(), asked.ends_with('1'), "{asked}");
    }
    for asked in ["", "?recursive=False&expand=False", "?recursive=false"] {
        let entries = app.get(&format!("{api}{asked}")).await.expect(200);
        assert_eq!(paths(&entries), all[..2], "{asked}");
    }
    for directory in ["data", "data/", "data%2F"] {
        let entries = app.get(&format!("{api}/{directory}?recursive=false")).await.expect(200);
        assert_eq!(paths(&entries), all[2..], "{directory}");
        let (file, lfs) = (&entries[0], &entries[0]["lfs"]);
        assert_eq!((&file["type"], &file["size"]), (&json!("file"), &json!(4)));
        assert_eq!(file["oid"].as_str().unwrap().len(), 40);
        assert_eq!(lfs["oid"].as_str().unwrap().len(), 64);
        assert_eq!(lfs["size"], 4);
        assert!(lfs["pointerSize"].as_u64().unwrap() > 100);
    }
    let data = &app.get(&api).await.expect(200)[1];
    assert_eq!((&data["type"], &data["size"]), (&json!("directory"), &json!(0)));
    assert_eq!((data["oid"].as_str().unwrap().len(), data.get("lfs")), (40, None));

    // Page by page, by absolute links to the host that was asked.
    let mut seen = Vec::new();
    let mut next = Some(format!("{api}?recursive=True&expand=False&limit=1"));
    while let Some(url) = next {
        let reply = app.get_with(&url, &[("host", "127.0.0.1:8080")]).await;
        seen.extend(paths(&reply.expect(200)));
        next = reply.headers.get("link").map(|link| {
            let link = link.to_str().unwrap();
            let url = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
            url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
        });
        assert!(seen.len() <= all.len());
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn paths_are_looked_up() {
    let app = TestApp::new().await;
    let id = published(&app, b"data").await;
    let url = format!("/api/datasets/jobs/{id}/paths-info/{COMMIT}");
    let form = |body: &str| {
        let kind = "application/x-www-form-urlencoded";
        ask("POST", &url).header("content-type", kind).body(Body::from(body.to_owned())).unwrap()
    };
    let body = "paths=data%2Ftrain-00000-of-00001.parquet&paths=data&paths=missing&expand=False";
    let entries = app.send(form(body)).await.expect(200);
    let found: Vec<_> = entries.as_array().unwrap().iter().map(|entry| &entry["path"]).collect();
    assert_eq!(found, ["data", PARQUET]);
    assert_eq!((&entries[0]["type"], &entries[1]["type"]), (&json!("directory"), &json!("file")));
    assert_eq!(entries[1].get("lastCommit"), None);
    let entries = app.send(form("paths=README.md&expand=True")).await.expect(200);
    let commit = &entries[0]["lastCommit"];
    assert_eq!((&commit["id"], &commit["title"]), (&json!(COMMIT), &json!("Revision 1")));
    let asked = json!({"paths": ["README.md"], "expand": false});
    assert_eq!(app.json("POST", &url, &asked).await.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(app.send(form("")).await.expect(200), json!([]));
    // A page of another site may not even ask.
    let foreign = ask("POST", &url).header("origin", "https://evil.example").body(Body::empty());
    app.send(foreign.unwrap()).await.problem(403, "cross_site");
}

#[tokio::test]
async fn an_unfinished_job_says_how_far_it_is() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    for url in [
        format!("/datasets/jobs/{id}/resolve/main/README.md"),
        format!("/datasets/jobs/{id}/resolve/main/{id}.py"),
        format!("/datasets/jobs/{id}/resolve/{COMMIT}/README.md"),
        format!("/api/datasets/jobs/{id}"),
        format!("/api/datasets/jobs/{id}/revision/main"),
        format!("/api/datasets/jobs/{id}/tree/main?recursive=true"),
        format!("/api/datasets/jobs/{id}/refs"),
    ] {
        let problem = refused(&app.get(&url).await, 409, "not_ready", "NotReady");
        assert_eq!(problem["counts"]["total"], 6, "{url}");
        let reply = head(&app, &url).await;
        assert_eq!(reply.status.as_u16(), 409, "{url}");
        assert!(reply.header("x-error-message").contains("0 of 6 prompts"), "{url}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_in_the_hubs_words() {
    let app = TestApp::new().await;
    let id = published(&app, b"data").await;
    let urls =
        [format!("/datasets/jobs/{id}/resolve/main/README.md"), format!("/api/datasets/jobs/{id}")];
    for url in &urls {
        // While the service is open, a token for another one does no harm.
        let reply = app.get_with(url, &[("authorization", "Bearer hf_abc")]).await;
        assert_eq!(reply.status.as_u16(), 200, "{url}");
    }
    let key = format!("Bearer {}", app.key(Scope::Read).await.reveal());
    for url in &urls {
        refused(&app.get(url).await, 401, "key_required", "RepoNotFound");
        let wrong = app.get_with(url, &[("authorization", "Bearer hf_abc")]).await;
        refused(&wrong, 401, "invalid_key", "RepoNotFound");
        let reply = head(&app, url).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-error-code")), (401, "RepoNotFound"));
        let reply = app.get_with(url, &[("authorization", &key)]).await;
        assert_eq!(reply.status.as_u16(), 200, "{url}");
        let elsewhere = [("authorization", key.as_str()), ("host", "evil.example")];
        app.get_with(url, &elsewhere).await.problem(421, "host_not_allowed");
    }
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_back() {
    let app = TestApp::with(|config| config.requests_per_minute = 20).await;
    let id = published(&app, b"data").await;
    let key = format!("Bearer {}", app.key(Scope::Read).await.reveal());
    let url = format!("/datasets/jobs/{id}/resolve/main/README.md");
    for _ in 0..500 {
        let reply = app.get_with(&url, &[("authorization", &key)]).await;
        if reply.status.as_u16() == 429 {
            reply.problem(429, "rate_limited");
            let seconds: u64 = reply.header("retry-after").parse().unwrap();
            // Newer clients read this one; a minute is what the whole quota takes to come back.
            assert_eq!(reply.header("ratelimit"), format!("\"key\";r=0;t={seconds}"));
            assert!((1..=3).contains(&seconds), "{seconds}");
            return;
        }
        assert_eq!(reply.status.as_u16(), 200);
    }
    panic!("500 requests were never too many");
}
