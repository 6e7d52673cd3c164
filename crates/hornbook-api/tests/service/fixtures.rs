//! Small, whole things to test with, made through the front door where it makes them.

use hornbook_db::chunks;
use hornbook_db::{corpora, documents, jobs};
use hornbook_types::{
    CorpusFile, CorpusStatistics, Document, FinishReason, Manifest, ManifestContent, ManifestRun,
    RowFunnel, Usage, Verdict,
};
use object_store::ObjectStoreExt as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::TestApp;

pub(crate) fn audience(title: &str) -> Value {
    json!({
        "title": title, "rank": 3, "reader": "children aged 11 to 14",
        "instructions": ["use short sentences"], "vocabulary": "everyday words",
        "leave_out": ["proofs"], "formulas": "none", "ending": "end with a question",
        "tokens": {"min": 30, "max": 200}, "grade": {"min": 5.5}
    })
}

pub(crate) fn template(body: &str) -> Value {
    json!({"format": "story", "body": body})
}

pub(crate) fn job(documents: u64) -> Value {
    json!({
        "name": "a job", "seeds": "topics", "documents": documents, "endpoints": ["echo"],
        "recipe": [{"template": "story", "audience": "toddler"}]
    })
}

/// Audience `toddler`, template `story`, seed set `topics` of three, endpoint `echo`.
pub(crate) async fn catalog(app: &TestApp) {
    app.json("PUT", "/v1/audiences/toddler", &audience("Toddler")).await.expect(201);
    let body = "Tell {{ audience.reader }} of {{ seed.topic }}.";
    app.json("PUT", "/v1/templates/story", &template(body)).await.expect(201);
    let seeds = json!([{"topic": "ponds"}, {"topic": "stars"}, {"topic": "bread"}]);
    app.json("PUT", "/v1/seed-sets/topics?license=CC0-1.0", &seeds).await.expect(201);
    endpoint(app, "echo").await;
}

pub(crate) async fn endpoint(app: &TestApp, name: &str) {
    let spec = json!({
        "kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key": "sk-secret"
    });
    app.json("PUT", &format!("/v1/endpoints/{name}"), &spec).await.expect(201);
}

/// A submitted job of the catalog above.
pub(crate) async fn submitted(app: &TestApp, documents: u64) -> Uuid {
    let reply = app.json("POST", "/v1/jobs", &job(documents)).await.expect(201);
    reply["id"].as_str().unwrap().parse().unwrap()
}

/// Does every prompt of every job: even ones are accepted, of odd ones every third fails.
pub(crate) async fn run_all(app: &TestApp) {
    let worker = Uuid::from_u128(1);
    let endpoints = ["echo".to_owned()];
    while let Some(lease) = chunks::claim(app.db(), worker, &endpoints, 16).await.unwrap() {
        let rows: Vec<Document> = (lease.lo..lease.hi).map(document).collect();
        documents::commit_group(app.db(), &lease.key, &rows, 0.0).await.unwrap();
        hornbook_db::events::progress(app.db(), lease.key.job_id).await.unwrap();
        chunks::finish(app.db(), &lease.key).await.unwrap();
    }
}

fn document(seq: u64) -> Document {
    let (verdict, reason) = match seq % 6 {
        0 | 2 | 4 => (Verdict::Accepted, None),
        1 | 3 => (Verdict::Rejected, Some("too_short".to_owned())),
        _ => (Verdict::Failed, Some("http_500".to_owned())),
    };
    Document {
        seq,
        prompt: format!("Tell of number {seq}."),
        text: if verdict == Verdict::Failed { String::new() } else { format!("Number {seq}.") },
        usage: Usage { prompt_tokens: 7, completion_tokens: 10, cached_tokens: 0 },
        audience: "toddler@1".parse().unwrap(),
        template: "story@1".parse().unwrap(),
        format: "story".parse().unwrap(),
        seed_seq: seq % 3,
        seed_data: Map::from_iter([("topic".to_owned(), json!("ponds"))]),
        endpoint: "echo".parse().unwrap(),
        model: "echo-1".to_owned(),
        sampling_seed: u64::MAX - seq,
        finish_reason: FinishReason::Stop,
        latency_ms: 12,
        error: reason.is_some().then(|| "the endpoint failed".to_owned()),
        reason,
        verdict,
        scores: Map::new(),
    }
}

/// Publishes a corpus of one data file and a manifest, as an assembler would.
pub(crate) async fn publish(app: &TestApp, job: Uuid, data: &[u8]) {
    let worker = Uuid::from_u128(2);
    let claimed = loop {
        let claimed = hornbook_db::assembly::claim(app.db(), worker).await.unwrap();
        let claimed = claimed.expect("an assembly is wanted");
        if claimed.key.job_id == job {
            break claimed;
        }
    };
    let location = format!("corpora/{job}");
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
    let manifest = Manifest {
        content: ManifestContent {
            commit: "ab".repeat(20),
            spec_digest: "cd".repeat(32),
            partial: false,
            rows: 3,
            tokens: 30,
            token_counts: "endpoint".to_owned(),
            tokenizer: None,
            files: files.clone(),
            spec: jobs::spec(app.db(), job).await.unwrap(),
            models: Default::default(),
            counts: RowFunnel::default(),
            statistics: CorpusStatistics::default(),
            instruction_set: None,
        },
        run: ManifestRun {
            job,
            hornbook: "0.1.0".to_owned(),
            submitted_at: time::OffsetDateTime::UNIX_EPOCH,
            assembled_at: time::OffsetDateTime::UNIX_EPOCH,
            usage: Usage::default(),
            surplus: 0,
            labels: Map::new(),
        },
    };
    corpora::publish(app.db(), &claimed.key, &manifest, &files, &location).await.unwrap();
}
