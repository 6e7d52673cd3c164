//! Small, whole values to test with.

use std::collections::BTreeMap;

use hornbook_db::chunks::{self, Finished, Lease};
use hornbook_db::{Db, documents, jobs};
use hornbook_types::{
    AssemblySpec, AudienceSpec, CorpusFile, CorpusStatistics, Document, FinishReason, GateSpec,
    GradeRange, JobState, Manifest, ManifestContent, ManifestRun, PinnedJobSpec, PinnedLine,
    RowFunnel, Sampling, Slug, TemplateSpec, TokenRange, Usage, Verdict,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::common::TestDb;

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

pub(crate) fn audience(title: &str) -> AudienceSpec {
    AudienceSpec {
        title: title.to_owned(),
        rank: Some(3),
        reader: "children aged 11 to 14".to_owned(),
        instructions: vec!["use short sentences".to_owned()],
        vocabulary: "everyday words".to_owned(),
        leave_out: vec!["proofs".to_owned()],
        formulas: "none".to_owned(),
        ending: "end with a question".to_owned(),
        tokens: TokenRange { min: 30, max: 200 },
        grade: GradeRange { min: Some(5.5), max: None },
    }
}

pub(crate) fn template(body: &str) -> TemplateSpec {
    TemplateSpec {
        format: slug("story"),
        output: Default::default(),
        body: body.to_owned(),
        description: Some("A story.".to_owned()),
    }
}

pub(crate) fn spec(total: u64) -> PinnedJobSpec {
    PinnedJobSpec {
        name: "a job".to_owned(),
        seed_set: "topics@1".parse().unwrap(),
        seeds: 10,
        lines: vec![PinnedLine {
            template: "story@2".parse().unwrap(),
            audience: "toddler@1".parse().unwrap(),
            prompts: total,
            quota: None,
            template_spec: template("Tell of {{ seed.topic }}."),
            audience_spec: audience("Toddler"),
        }],
        total,
        paired: false,
        sampling: Sampling::default(),
        endpoints: vec![slug("local")],
        gates: GateSpec::default(),
        assembly: AssemblySpec::default(),
        priority: 0,
        weight: 1.0,
        metadata: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
    }
}

pub(crate) fn accepted(seq: u64) -> Document {
    Document {
        seq,
        prompt: format!("Tell of number {seq}."),
        text: format!("Once there was a number {seq}. \u{1f41f}"),
        usage: Usage { prompt_tokens: 7, completion_tokens: 10 + seq % 3, cached_tokens: 2 },
        audience: "toddler@1".parse().unwrap(),
        template: "story@2".parse().unwrap(),
        format: slug("story"),
        seed_seq: seq % 10,
        seed_data: object(json!({ "topic": "numbers", "a": 1.0 })),
        endpoint: slug("local"),
        model: "smol".to_owned(),
        sampling_seed: u64::MAX - seq,
        finish_reason: FinishReason::Stop,
        latency_ms: 12,
        verdict: Verdict::Accepted,
        reason: None,
        error: None,
        scores: object(json!({ "duplicate_ngrams": 0.25 })),
    }
}

pub(crate) fn rejected(seq: u64, reason: &str) -> Document {
    Document {
        verdict: Verdict::Rejected,
        reason: Some(reason.to_owned()),
        finish_reason: FinishReason::Length,
        ..accepted(seq)
    }
}

pub(crate) fn failed(seq: u64, code: &str) -> Document {
    Document {
        verdict: Verdict::Failed,
        reason: Some(code.to_owned()),
        error: Some(format!("{code} said the endpoint")),
        text: String::new(),
        usage: Usage::default(),
        finish_reason: FinishReason::None,
        ..accepted(seq)
    }
}

/// A submitted job of so many prompts.
pub(crate) async fn submitted(db: &Db, total: u64) -> Uuid {
    let id = Uuid::now_v7();
    jobs::submit(db, id, &spec(total)).await.unwrap();
    id
}

/// Claims for the endpoint `local`.
pub(crate) async fn claim(db: &Db, worker: Uuid, prompts: u64) -> Option<Lease> {
    chunks::claim(db, worker, &["local".to_owned()], prompts).await.unwrap()
}

/// Does every missing prompt of a lease with `document` and finishes the chunk.
pub(crate) async fn complete(
    db: &Db,
    lease: &Lease,
    document: impl Fn(u64) -> Document,
) -> JobState {
    let todo = chunks::missing(db, lease.key.job_id, lease.lo, lease.hi).await.unwrap();
    for group in todo.chunks(64) {
        let rows: Vec<Document> = group.iter().copied().map(&document).collect();
        documents::commit_group(db, &lease.key, &rows, 0.0).await.unwrap();
    }
    match chunks::finish(db, &lease.key).await.unwrap() {
        Finished::Done(state) => state,
        missing => panic!("unfinished: {missing:?}"),
    }
}

/// Runs a job's prompts to their end.
pub(crate) async fn run_all(db: &Db, document: impl Fn(u64) -> Document + Copy) {
    let worker = Uuid::now_v7();
    while let Some(lease) = claim(db, worker, 16).await {
        complete(db, &lease, document).await;
    }
}

/// Puts a job into a state that it might be found in.
pub(crate) async fn force_state(test: &TestDb, id: Uuid, state: JobState) {
    test.sql(&format!(
        "UPDATE jobs SET state = '{}', finished_at = CASE WHEN {} THEN now() END WHERE id = '{id}'",
        state.as_str(),
        state.has_ended()
    ))
    .await;
}

pub(crate) fn manifest(job: Uuid, commit_byte: u8, partial: bool) -> (Manifest, Vec<CorpusFile>) {
    let file = |path: &str, rows: Option<u64>| CorpusFile {
        path: path.to_owned(),
        bytes: 1234,
        sha256: "ab".repeat(32),
        rows,
        tokens: None,
    };
    let data = file("data/train-00000-of-00001.parquet", Some(3));
    let manifest = Manifest {
        content: ManifestContent {
            commit: format!("{commit_byte:02x}").repeat(20),
            spec_digest: "cd".repeat(32),
            partial,
            rows: 3,
            tokens: 33,
            token_counts: "endpoint".to_owned(),
            tokenizer: None,
            files: vec![data.clone()],
            spec: spec(3),
            models: BTreeMap::new(),
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
    (manifest, vec![data, file("manifest.json", None)])
}
