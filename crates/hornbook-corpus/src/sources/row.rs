//! A document of a file as a row of a corpus.

use hornbook_records::DocumentRow;
use hornbook_types::CorpusRow;
use serde_json::Value;

use crate::assemble::Row;
use crate::assemble::limits::{BYTES_PER_TOKEN, ID_BYTES};

/// Name of the score that tells which of several duplicates is the best.
const SCORE: &str = "score";

/// The row of a document that stands at `seq` of the input.
pub(super) fn convert(document: DocumentRow, seq: u64, default_id: impl FnOnce() -> String) -> Row {
    let text = text_of(document.text);
    let mut scores = object_of(document.scores);
    let score = score_of(&document.score).or_else(|| score_in(&scores));
    if scores == EMPTY
        && let Some(score) = score_of(&document.score)
    {
        scores = serde_json::json!({ SCORE: score }).to_string();
    }
    let own = Some(text_of(document.id)).filter(|id| !id.is_empty() && id.len() <= ID_BYTES);
    let has_own_id = own.is_some();
    let counted = tokens_of(&document.token_length);
    let estimate = || u32::try_from(text.len().div_ceil(BYTES_PER_TOKEN)).unwrap_or(u32::MAX);
    let row = CorpusRow {
        prompt: text_of(document.prompt),
        token_length: counted.unwrap_or_else(estimate),
        text,
        audience: text_of(document.audience),
        format: text_of(document.format),
        seed_data: object_of(document.seed_data),
        id: own.unwrap_or_else(default_id),
        seq,
        template: text_of(document.template),
        endpoint: text_of(document.endpoint),
        model: text_of(document.model),
        sampling_seed: text_of(document.sampling_seed),
        finish_reason: text_of(document.finish_reason),
        scores,
    };
    Row { row, score, has_own_id, has_own_tokens: counted.is_some() }
}

/// What columns of JSON hold when there is nothing to say.
const EMPTY: &str = "{}";

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn object_of(value: Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text,
        Value::Object(fields) => Value::Object(fields).to_string(),
        _ => EMPTY.to_owned(),
    }
}

fn tokens_of(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|tokens| u32::try_from(tokens).ok())
}

fn score_of(value: &Value) -> Option<f32> {
    value.as_f64().map(|score| score as f32).filter(|score| score.is_finite())
}

/// The number `score` among scores as JSON text.
pub(crate) fn score_in(scores: &str) -> Option<f32> {
    if !scores.contains("\"score\"") {
        return None;
    }
    let scores: Value = serde_json::from_str(scores).ok()?;
    scores.get(SCORE).and_then(score_of)
}
