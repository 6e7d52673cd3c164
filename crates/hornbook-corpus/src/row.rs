//! A document as a row of a corpus.

use hornbook_types::{CorpusRow, Document};
use serde_json::Value;

use crate::gates::TOKENS_KEPT;
use crate::hashing::sha256_hex;

/// Hex digits of a row's id.
const ID_DIGITS: usize = 32;

/// Names prompt `seq` of a spec, the same in every job and on every machine with that spec.
///
/// It is the first 32 hex digits of SHA-256 over `DIGEST:SEQ`, both as text.
pub fn row_id(spec_digest: &str, seq: u64) -> String {
    let mut id = sha256_hex(format!("{spec_digest}:{seq}").as_bytes());
    id.truncate(ID_DIGITS);
    id
}

/// The row that an accepted document becomes; it holds no job id, clock or latency.
///
/// `token_length` is the endpoint's own count, or the estimate of what is left of a trimmed text.
pub fn corpus_row(spec_digest: &str, document: Document) -> CorpusRow {
    let kept = document.scores.get(TOKENS_KEPT).and_then(Value::as_u64);
    let tokens = kept.unwrap_or(document.usage.completion_tokens);
    CorpusRow {
        prompt: document.prompt,
        text: document.text,
        token_length: u32::try_from(tokens).unwrap_or(u32::MAX),
        audience: document.audience.slug.to_string(),
        format: document.format.to_string(),
        seed_data: Value::Object(document.seed_data).to_string(),
        id: row_id(spec_digest, document.seq),
        seq: document.seq,
        template: document.template.to_string(),
        endpoint: document.endpoint.to_string(),
        model: document.model,
        sampling_seed: document.sampling_seed.to_string(),
        finish_reason: document.finish_reason.as_str().to_owned(),
        scores: Value::Object(document.scores).to_string(),
    }
}
