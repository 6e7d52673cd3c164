//! Gates on documents of files, whose prompts, seeds and readers are mostly unknown.

use std::borrow::Cow;

use hornbook_types::{
    AudienceSpec, FinishReason, GateSpec, GradeRange, OutputKind, Reason, TokenRange,
};
use serde_json::{Map, Value};

use super::part::Row;
use crate::gates::{Answer, judge};

/// What gates say of a document.
pub(super) struct Passed {
    /// Bytes of its beginning that they let through.
    pub(super) bytes: usize,
    /// The gate that refused it.
    pub(super) gate: Option<Reason>,
    /// What was measured, where anything was.
    pub(super) scores: Option<Map<String, Value>>,
}

/// Tries the gates on a document.
pub(super) fn passed(gates: &GateSpec, row: &Row) -> Passed {
    let reason = finish_reason(&row.row.finish_reason);
    // A file without seeds has nothing that a text could recite.
    let seed: Map<String, Value> = serde_json::from_str(&row.row.seed_data).unwrap_or_default();
    let answer = Answer {
        prompt: &row.row.prompt,
        text: &row.row.text,
        seed: &seed,
        finish_reason: &reason,
        completion_tokens: u64::from(row.row.token_length),
        output: OutputKind::Text,
    };
    let judgement = judge(gates, &any_audience(), answer);
    // Masking is for answers that arrive; a file's text is kept as far as the gates let it through.
    let bytes = match judgement.text {
        Cow::Borrowed(text) => text.len(),
        Cow::Owned(_) => row.row.text.len(),
    };
    Passed { bytes, gate: judgement.reason, scores: Some(judgement.scores) }
}

/// A file that does not say why its texts end means that they end by themselves.
fn finish_reason(word: &str) -> FinishReason {
    if word.is_empty() { FinishReason::Stop } else { FinishReason::from(word.to_owned()) }
}

/// Nobody knows whom the documents of a file are for: no length is too short or too long for them.
fn any_audience() -> AudienceSpec {
    AudienceSpec {
        title: String::new(),
        rank: None,
        reader: String::new(),
        instructions: Vec::new(),
        vocabulary: String::new(),
        leave_out: Vec::new(),
        formulas: String::new(),
        ending: String::new(),
        tokens: TokenRange { min: 0, max: u32::MAX },
        grade: GradeRange::default(),
    }
}

/// The number of a gate in a fact: its place in `Reason::ALL`, and 1.
pub(super) fn number_of(reason: Reason) -> u8 {
    let place = Reason::ALL.iter().position(|it| *it == reason);
    place.and_then(|place| u8::try_from(place + 1).ok()).unwrap_or(u8::MAX)
}

/// The gate of a number in a fact.
pub(crate) fn gate_of(number: u8) -> Option<Reason> {
    Reason::ALL.get(usize::from(number).checked_sub(1)?).copied()
}
