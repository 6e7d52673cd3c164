//! Corpora: pulled whole, in ranges, and never from anywhere but the manifest's own files.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::app::TestApp;
use crate::fixtures::{catalog, publish, run_all, submitted};

#[tokio::test]
async fn there_is_no_corpus_before_there_is_one() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    let problem = app.get(&format!("/v1/jobs/{id}/corpus")).await.problem(409, "not_ready");
    assert_eq!((&problem["state"], &problem["counts"]["total"]), (&json!("queued"), &json!(6)));
    app.get(&format!("/v1/jobs/{id}/corpus/files/README.md")).await.problem(409, "not_ready");
    let bad = json!({"assembly": {"dedup": "sometimes"}});
    let path = format!("/v1/jobs/{id}/corpus");
    app.json("POST", &path, &bad).await.problem(422, "invalid");
    app.json("POST", &path, &json!({"assembling": {}})).await.problem(422, "invalid");
    let asked = app.post(&path).await;
    asked.expect(202);
    assert_eq!(asked.header("location"), path);
    let problem = app.get(&path).await.problem(409, "not_ready");
    assert_eq!(problem["assembling"], true);
    app.post("/v1/jobs/01900000-0000-7000-8000-000000000000/corpus")
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn a_corpus_is_pulled_by_its_manifest() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    run_all(&app).await;
    let data: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    publish(&app, id, &data).await;
    let reply = app.get(&format!("/v1/jobs/{id}/corpus")).await;
    let corpus = reply.expect(200);
    assert_eq!(
        (&corpus["partial"], &corpus["rows"], &corpus["tokens"]),
        (&json!(false), &json!(3), &json!(30))
    );
    assert_eq!(
        (&corpus["state"], &corpus["card"]),
        (&json!("succeeded_with_errors"), &json!("README.md"))
    );
    assert_eq!(corpus["spec"]["seed_set"], "topics@1");
    app.get_with(&format!("/v1/jobs/{id}/corpus"), &[("if-none-match", reply.header("etag"))])
        .await
        .expect(304);
    for file in corpus["files"].as_array().unwrap() {
        let url =
            format!("{}{}", corpus["files_url"].as_str().unwrap(), file["path"].as_str().unwrap());
        let reply = app.get(&url).await;
        assert_eq!(reply.status.as_u16(), 200, "{url}");
        assert_eq!(file["sha256"], hex::encode(Sha256::digest(&reply.body)), "{url}");
        assert_eq!(reply.header("content-length"), file["bytes"].to_string());
        assert_eq!(reply.header("etag"), format!("\"{}\"", file["sha256"].as_str().unwrap()));
        assert_eq!(reply.header("accept-ranges"), "bytes");
        assert!(reply.header("content-disposition").starts_with("attachment; filename="), "{url}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(reply.header("content-security-policy").contains("sandbox"));
        assert!(!reply.headers.contains_key("content-encoding"));
    }
    let pinned = format!("/v1/jobs/{id}/corpus/files/README.md?commit=");
    app.get(&format!("{pinned}{}", "ab".repeat(20))).await;
    app.get(&format!("{pinned}{}", "cd".repeat(20))).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_file_is_served_in_ranges() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    run_all(&app).await;
    let data: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    publish(&app, id, &data).await;
    let url = format!("/v1/jobs/{id}/corpus/files/data/train-00000-of-00001.parquet");
    let whole = app.get(&url).await;
    assert_eq!(whole.header("content-type"), "application/vnd.apache.parquet");
    let tag = whole.header("etag").to_owned();
    for (range, start, end) in [
        ("bytes=0-99", 0, 100),
        ("bytes=99990-", 99_990, 100_000),
        ("bytes=-262144", 0, 100_000),
        ("bytes=-8", 99_992, 100_000),
        ("bytes=5-999999", 5, 100_000),
    ] {
        let reply = app.get_with(&url, &[("range", range), ("if-range", &tag)]).await;
        assert_eq!(reply.status.as_u16(), 206, "{range}");
        assert_eq!(reply.body, data[start..end], "{range}");
        assert_eq!(reply.header("content-range"), format!("bytes {start}-{}/100000", end - 1));
        assert_eq!(reply.header("content-length"), (end - start).to_string());
        assert_eq!(reply.header("etag"), tag);
    }
    let changed = app.get_with(&url, &[("range", "bytes=0-9"), ("if-range", "\"old\"")]).await;
    assert_eq!((changed.status.as_u16(), changed.body.len()), (200, data.len()));
    let past = app.get_with(&url, &[("range", "bytes=100000-")]).await;
    past.problem(416, "range_not_satisfiable");
    assert_eq!(past.header("content-range"), "bytes */100000");
    let known = app.get_with(&url, &[("if-none-match", &tag), ("range", "bytes=0-9")]).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));

    let head = app.send(crate::app::ask("HEAD", &url).body("".into()).unwrap()).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), "100000");
    assert_eq!(head.header("etag"), tag);
    let sent = app.get("/metrics").await;
    let text = String::from_utf8(sent.body.to_vec()).unwrap();
    let bytes: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("hornbook_corpus_bytes_total "))
        .and_then(|number| number.parse().ok())
        .unwrap();
    assert!(bytes > 400_000, "{text}");
}

#[tokio::test]
async fn only_files_of_the_manifest_are_served() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    run_all(&app).await;
    publish(&app, id, b"data").await;
    for path in [
        "manifest.txt",
        "data",
        "data/",
        "../../secret",
        "..%2f..%2fsecret",
        "%2fetc%2fpasswd",
        "README.md%00",
        "data/../README.md",
        "./README.md",
    ] {
        let reply = app.get(&format!("/v1/jobs/{id}/corpus/files/{path}")).await;
        reply.problem(404, "not_found");
    }
    // A file that is lost is the service's fault, and says nothing of where it should be.
    std::fs::remove_file(app.files().join(format!("corpora/{id}/README.md"))).unwrap();
    let problem =
        app.get(&format!("/v1/jobs/{id}/corpus/files/README.md")).await.problem(500, "internal");
    assert!(!problem.to_string().contains("corpora/"), "{problem}");
}
