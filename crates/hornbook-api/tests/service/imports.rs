//! Imports: uploads become files at once, all of them or none; the rest is checked and left to workers.

use hornbook_types::ImportState;
use serde_json::json;

use crate::app::TestApp;

const NDJSON: &str = "application/x-ndjson";

fn stored(app: &TestApp) -> Vec<String> {
    fn walk(dir: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path.display().to_string()) }
        }
    }
    let mut found = Vec::new();
    walk(&app.files().join("imports"), &mut found);
    found
}

#[tokio::test]
async fn an_upload_becomes_files_of_documents() {
    let app = TestApp::new().await;
    let csv = "text,url\n\"Ponds, and frogs.\",https://a.example\nIce is cold.,\n";
    let path = "/v1/imports/web?license=CC-BY-ND-4.0&source=a+crawl";
    let reply = app.upload(path, "text/csv", csv).await;
    let view = reply.expect(201);
    assert_eq!(reply.header("location"), "/v1/imports/web@1");
    assert_eq!(
        (&view["state"], &view["rows"], &view["text_bytes"]),
        (&json!("ready"), &json!(2), &json!(29))
    );
    assert_eq!(
        (&view["license"], &view["redistribution"]),
        (&json!("CC-BY-ND-4.0"), &json!("forbidden"))
    );
    assert_eq!((&view["source"], &view["column"]), (&json!("a crawl"), &json!("text")));
    let files = stored(&app);
    assert_eq!(files.len(), 1);
    let id = view["id"].as_str().unwrap();
    assert!(files[0].ends_with(&format!("imports/{id}/part-00000.parquet")), "{files:?}");
    let bytes = std::fs::metadata(&files[0]).unwrap().len();
    assert_eq!(view["files"][0]["bytes"], bytes);

    let again = app.upload(path, "text/csv", csv).await.expect(200);
    assert_eq!((&again["id"], stored(&app)), (&view["id"], files), "and nothing was left of it");
    let lines = "{\"body\":\"Fire is hot.\"}\n";
    let next =
        app.upload("/v1/imports/web?license=MIT&column=body", NDJSON, lines).await.expect(201);
    assert_eq!((&next["reference"], &next["redistribution"]), (&json!("web@2"), &json!("allowed")));
    let listed = app.get("/v1/imports").await.expect(200);
    assert_eq!(listed["data"][0]["reference"], "web@2");
    assert_eq!(listed["data"][0].get("files"), None);
    assert_eq!(app.get("/v1/imports/web@1").await.expect(200)["files"], view["files"]);
    app.delete("/v1/imports/web@1").await.expect(204);
    app.get("/v1/imports/web@1").await.problem(404, "not_found");
    app.delete("/v1/imports/web").await.expect(204);
    app.delete("/v1/imports/web").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_bad_document_is_named_and_nothing_is_kept() {
    let app = TestApp::new().await;
    let good = "{\"text\": \"x\"}\n".repeat(70_000);
    for (line, expected) in [
        ("{\"text\": \"a\\u0000\"}", "line 70001: U+0000 in 'text'"),
        ("{\"txt\": \"a\"}", "line 70001: there is no 'text'"),
        ("{\"text\": \"", "line 70001: control character"),
    ] {
        let reply = app.upload("/v1/imports/web", NDJSON, format!("{good}{line}\n")).await;
        let problem = reply.problem(422, "bad_record");
        assert!(problem["detail"].as_str().unwrap().starts_with(expected), "{problem}");
        assert_eq!(problem["line"], 70_001);
    }
    app.upload("/v1/imports/web", NDJSON, "").await.problem(422, "bad_records");
    let parquet = "application/vnd.apache.parquet";
    app.upload("/v1/imports/web", parquet, "PAR1 no").await.problem(422, "bad_record");
    app.upload("/v1/imports/web?column=", NDJSON, "{}").await.problem(400, "invalid_query");
    app.get("/v1/imports/web").await.problem(404, "not_found");
    assert_eq!(stored(&app), Vec::<String>::new());
}

#[tokio::test]
async fn paths_are_only_for_operators_who_named_a_root() {
    let app = TestApp::new().await;
    let path = json!({"path": "a.jsonl"});
    let problem = app.json("PUT", "/v1/imports/web", &path).await.problem(422, "invalid");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("import_root"), "{problem}");

    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("a.jsonl"), "{\"text\":\"x\"}\n").unwrap();
    std::fs::write(dir.path().join("secret.jsonl"), "{}").unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret.jsonl"), root.join("link.jsonl")).unwrap();
    let app = TestApp::with(|config| config.import_root = Some(root.clone())).await;
    for (path, said) in [
        ("../secret.jsonl", "without '..'"),
        ("/etc/passwd", "below the import root"),
        ("link.jsonl", "symbolic link"),
        ("none.jsonl", "there is no file"),
    ] {
        let reply = app.json("PUT", "/v1/imports/web", &json!({"path": path})).await;
        let problem = reply.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/path");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(
            detail.contains(said) && !detail.contains(dir.path().to_str().unwrap()),
            "{detail}"
        );
    }
    let view = app.json("PUT", "/v1/imports/web", &path).await.expect(202);
    assert_eq!((&view["state"], &view["origin"]["path"]), (&json!("importing"), &json!("a.jsonl")));
    app.json("PUT", "/v1/imports/web", &path).await.expect(202);
    let stored = hornbook_db::imports::get(app.db(), &"web".parse().unwrap()).await.unwrap();
    assert_eq!((stored.pinned.version, stored.state), (1, ImportState::Importing));
}

#[tokio::test]
async fn a_dataset_of_the_hub_is_left_to_a_worker() {
    let app = TestApp::new().await;
    for (body, pointer) in [
        (json!({"hub": "name"}), "/hub"),
        (json!({"hub": "../name"}), "/hub"),
        (json!({"hub": "o/n", "config": "a/../b"}), "/config"),
        (json!({"hub": "o/n", "path": "x"}), ""),
        (json!({"path": "x", "split": "train"}), "/split"),
        (json!({}), ""),
        (json!({"hub": "o/n", "column": ""}), "/column"),
        (json!({"hub": "o/n", "cofnig": "x"}), "/cofnig"),
    ] {
        let problem = app.json("PUT", "/v1/imports/web", &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let body = json!({"hub": "org/name", "config": "sample/10BT", "column": "content"});
    let view = app.json("PUT", "/v1/imports/web?license=odc-by-1.0", &body).await.expect(202);
    let origin = json!({"kind": "hub", "hub": "org/name", "config": "sample/10BT",
                        "split": "train", "revision": "main"});
    assert_eq!((&view["origin"], &view["column"]), (&origin, &json!("content")));
    assert_eq!(view["state"], "importing");
}
