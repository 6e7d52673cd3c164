//! Mixed corpora: asked for, looked at, pulled like a job's, and removed.

use hornbook_db::corpora::mixed;
use hornbook_types::{CorpusFile, MixedContent, MixedManifest, MixedRun};
use object_store::ObjectStoreExt as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::TestApp;
use crate::fixtures::{catalog, run_all, submitted};

/// A service with one job that has ended and one that nobody has begun.
async fn two_jobs() -> (TestApp, Uuid, Uuid) {
    let app = TestApp::new().await;
    catalog(&app).await;
    let ended = submitted(&app, 6).await;
    run_all(&app).await;
    let waiting = submitted(&app, 6).await;
    (app, ended, waiting)
}

/// Publishes a corpus of one data file, as an assembler would.
async fn publish(app: &TestApp, data: &[u8]) -> Uuid {
    let claimed = mixed::claim(app.db(), Uuid::from_u128(2)).await.unwrap().unwrap();
    let id = claimed.key.id;
    let location = format!("corpora/{id}");
    let mut files = Vec::new();
    for (path, content, rows) in
        [("data/train-00000-of-00001.parquet", data, Some(3)), ("README.md", b"# card", None)]
    {
        let place = object_store::path::Path::from(format!("{location}/{path}"));
        app.store.put(&place, content.to_vec().into()).await.unwrap();
        files.push(CorpusFile {
            path: path.to_owned(),
            bytes: content.len() as u64,
            sha256: hex::encode(Sha256::digest(content)),
            rows,
            tokens: None,
        });
    }
    let manifest = MixedManifest {
        content: MixedContent {
            commit: "ab".repeat(20),
            spec_digest: "cd".repeat(32),
            partial: true,
            rows: 3,
            tokens: 30,
            files: files.clone(),
            spec: json!({"sources": []}),
            counts: Default::default(),
            more: Map::from_iter([("token_counts".to_owned(), json!("the sources' own"))]),
        },
        run: MixedRun {
            corpus: id,
            hornbook: "0.1.0".to_owned(),
            submitted_at: claimed.created_at,
            assembled_at: claimed.created_at,
            sources: claimed.spec.sources.clone(),
        },
    };
    mixed::publish(app.db(), &claimed.key, &manifest, &files, &location).await.unwrap();
    id
}

fn mix(sources: Value) -> Value {
    json!({"name": "a mix", "sources": sources})
}

#[tokio::test]
async fn a_mixed_corpus_goes_from_queued_to_ready() {
    let (app, job, _) = two_jobs().await;
    let asked = mix(json!([{"job": job, "weight": 2}]));
    let reply = app.json("POST", "/v1/corpora", &asked).await;
    let corpus = reply.expect(201);
    let id = corpus["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), format!("/v1/corpora/{id}"));
    assert_eq!((&corpus["state"], &corpus["corpus"]), (&json!("queued"), &Value::Null));
    assert_eq!(corpus["sources"][0]["name"], "a-job", "after the job");
    let own = format!("/v1/corpora/{id}");
    let pulled = format!("{own}/corpus");
    let problem = app.get(&pulled).await.problem(409, "not_ready");
    assert_eq!(problem["state"], "queued");
    app.get(&format!("{pulled}/files/README.md")).await.problem(409, "not_ready");

    let data: Vec<u8> = (0..1_000_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(publish(&app, &data).await.to_string(), id);
    let ready = app.get(&own).await.expect(200);
    assert_eq!((&ready["state"], &ready["corpus"]["rows"]), (&json!("ready"), &json!(3)));
    let reply = app.get(&pulled).await;
    let manifest = reply.expect(200);
    assert_eq!((&manifest["partial"], &manifest["tokens"]), (&json!(true), &json!(30)));
    assert_eq!(manifest["sources"][0]["job"], json!(job));
    assert_eq!(manifest["content"]["token_counts"], "the sources' own");
    app.get_with(&pulled, &[("if-none-match", reply.header("etag"))]).await.expect(304);
    let base = manifest["files_url"].as_str().unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let reply = app.get(&format!("{base}{}", file["path"].as_str().unwrap())).await;
        assert_eq!(file["sha256"], hex::encode(Sha256::digest(&reply.body)));
        assert_eq!(reply.header("etag"), format!("\"{}\"", file["sha256"].as_str().unwrap()));
    }
    let url = format!("{base}data/train-00000-of-00001.parquet");
    let part = app.get_with(&url, &[("range", "bytes=-8")]).await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &data[992..]));
    for path in ["manifest.txt", "../../secret", "data", "data/../README.md"] {
        app.get(&format!("{base}{path}")).await.problem(404, "not_found");
    }
    // Ids of one kind name nothing of the other.
    app.get(&format!("/v1/jobs/{id}/corpus/files/README.md")).await.problem(404, "not_found");
    app.get(&format!("/v1/corpora/{job}/corpus")).await.problem(404, "not_found");

    let bad = json!({"assembly": {"format": []}});
    app.json("POST", &pulled, &bad).await.problem(422, "invalid");
    let again = app.json("POST", &pulled, &json!({"assembly": {"dedup": "none"}})).await;
    let again_value = again.expect(202);
    assert_eq!((&again_value["state"], again.header("location")), (&json!("queued"), &*pulled));
    assert_eq!(again_value["assembly"]["dedup"], "none");
    app.get(&pulled).await.expect(200);

    app.delete(&own).await.expect(204);
    for path in [&own, &pulled, &format!("{pulled}/files/README.md")] {
        app.get(path).await.problem(404, "not_found");
    }
    app.delete(&own).await.problem(404, "not_found");
    app.post(&pulled).await.problem(404, "not_found");
}

#[tokio::test]
async fn every_wrong_source_is_pointed_at() {
    let (app, ended, waiting) = two_jobs().await;
    let nobody = Uuid::from_u128(7);
    let refused = mix(json!([
        {"job": nobody, "tokens": 0}, {"job": ended, "weight": 1, "tokens": 1}, {"job": waiting, "weight": -1}
    ]));
    let problem = app.json("POST", "/v1/corpora", &refused).await.problem(422, "invalid");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/sources/0/tokens", "/sources/1/tokens", "/sources/2/weight"]);
    for (body, pointer) in [
        (mix(json!([])), "/sources"),
        (mix(json!([{"job": nobody}])), "/sources/0/job"),
        (mix(json!([{}])), "/sources/0"),
        (mix(json!([{"job": ended}, {"job": ended}])), "/sources/1/name"),
        (json!({"name": " ", "sources": [{"job": ended}]}), "/name"),
        (mix(json!([{"job": ended, "share": 1}])), "/sources/0/share"),
    ] {
        let problem = app.json("POST", "/v1/corpora", &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let both = mix(json!([{"job": ended}, {"job": waiting}]));
    let problem = app.json("POST", "/v1/corpora", &both).await.problem(409, "not_ready");
    assert_eq!(
        (&problem["pointer"], &problem["state"]),
        (&json!("/sources/1/job"), &json!("queued"))
    );
    assert_eq!(problem["counts"]["total"], 6);
    app.post(&format!("/v1/jobs/{waiting}/cancel")).await.expect(200);
    let problem = app.json("POST", "/v1/corpora", &both).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/sources/1/job");
    assert_eq!(app.get("/v1/corpora").await.expect(200)["data"], json!([]), "nothing was stored");
}

#[tokio::test]
async fn corpora_are_listed_in_pages_and_made_once_per_key() {
    let (app, job, _) = two_jobs().await;
    let body = mix(json!([{"job": job}]));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let made = app.json("POST", "/v1/corpora", &body).await.expect(201);
        ids.insert(0, made["id"].clone());
    }
    let key = [("idempotency-key", "once")];
    let first = app.json_with("POST", "/v1/corpora", &key, &body).await;
    ids.insert(0, first.expect(201)["id"].clone());
    let second = app.json_with("POST", "/v1/corpora", &key, &body).await;
    assert_eq!(
        (second.expect(201)["id"].clone(), second.header("location")),
        (ids[0].clone(), first.header("location"))
    );
    let other = mix(json!([{"job": job, "weight": 2}]));
    app.json_with("POST", "/v1/corpora", &key, &other).await.problem(422, "idempotency_key_reused");

    let mut seen = Vec::new();
    let mut path = "/v1/corpora?limit=3".to_owned();
    loop {
        let page = app.get(&path).await.expect(200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|it| it["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/corpora?limit=3&cursor={next}");
    }
    assert_eq!(seen, ids);
    assert_eq!(app.get("/v1/corpora?state=ready").await.expect(200)["data"], json!([]));
    app.get("/v1/corpora?state=nowhere").await.problem(400, "invalid_query");
    app.get("/v1/corpora/nothing").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_plan_says_what_models_need() {
    let app = TestApp::new().await;
    let plan = app.get("/v1/corpora/plan").await.expect(200);
    assert_eq!(
        (&plan["rows"][0]["model"], &plan["rows"][0]["tokens"]),
        (&json!("135M"), &json!(2_700_000_000_u64))
    );
    let held = app.get("/v1/corpora/plan?models=360M&tokens=1000&available_tokens=100").await;
    assert_eq!(held.expect(200)["rows"][0]["available"]["epochs"], 10.0);
    let problem = app.get("/v1/corpora/plan?models=huge").await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/models");
    app.get("/v1/corpora/plan?model=1B").await.problem(400, "invalid_query");
}
