//! Reading what `/messages` answered.

use hornbook_types::{FinishReason, Usage};
use serde_json::Value;

use crate::openai::Asked;
use crate::retry::unusable;
use crate::{Completion, CompletionError};

/// The answer in the body of a success.
pub(crate) fn read_answer(asked: &Asked<'_>, body: &[u8]) -> Result<Completion, CompletionError> {
    let answer = asked.read_sparse(body)?;
    let Some(blocks) = answer.get("content").and_then(Value::as_array) else {
        let told = answer.pointer("/usage/output_tokens").is_some();
        let spent = if told { usage(asked, &answer, "").0 } else { Usage::default() };
        return Err(asked.read_error_value(&answer).paid(spent));
    };
    // Blocks of other kinds, such as thinking, are not the answer.
    let said: String = blocks
        .iter()
        .filter(|block| block.get("type").and_then(Value::as_str) == Some("text"))
        .filter_map(|block| block.get("text").and_then(Value::as_str))
        .collect();
    let reason = answer.get("stop_reason").and_then(Value::as_str);
    // What was written before the model declined is no answer.
    if reason == Some("refusal") {
        let why = answer.pointer("/stop_details/explanation").and_then(Value::as_str);
        let why = why.unwrap_or("the model declined to answer");
        return Err(asked.error(unusable::REFUSAL, why).paid(usage(asked, &answer, &said).0));
    }
    let finish_reason = match reason {
        Some("end_turn" | "stop_sequence") => FinishReason::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        other => asked.other_finish(other),
    };
    Ok(asked.completion(&answer, said, finish_reason, |text| usage(asked, &answer, text)))
}

/// `input_tokens` leaves out what was read from the cache or written to it; all of it is prompt.
fn usage(asked: &Asked<'_>, answer: &Value, text: &str) -> (Usage, bool) {
    let count = |pointer: &str| asked.count(answer, pointer);
    let cached = asked.cached(answer);
    let written = count("/usage/cache_creation_input_tokens").unwrap_or(0);
    let prompt = count("/usage/input_tokens").map(|fresh| fresh + cached + written);
    asked.usage(prompt, count("/usage/output_tokens"), cached, text)
}
