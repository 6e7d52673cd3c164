//! Checks on one document as it arrives; one gate a file, all cheap.
//!
//! A gate either passes a document or refuses it under its own name
//! ([`hornbook_types::Reason`]). Gates run in the order of `Reason::ALL` and stop at
//! the first refusal. Every one takes time linear in the text (n log n for n-grams of
//! at most a million words), whatever the text.

mod empty;
mod looped;
mod prompt_echo;
mod refusal;
mod repetition;
mod too_long;
mod too_short;
mod truncated;

use hornbook_types::{
    AudienceSpec, FinishReason, GatePreset, GateSpec, Looped, OutputKind, Reason, Truncated,
    Verdict,
};
use serde_json::{Map, Value};

use crate::words::words;

/// An answer to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The prompt as sent.
    pub prompt: &'a str,
    /// The answer as received.
    pub text: &'a str,
    /// Why generation stopped.
    pub finish_reason: &'a FinishReason,
    /// Tokens of the answer as the endpoint counted them.
    pub completion_tokens: u64,
    /// What the template's answers are; only running text has a length of its audience and may be trimmed.
    pub output: OutputKind,
}

/// What the gates say of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement<'a> {
    /// Accepted or rejected; never failed.
    pub verdict: Verdict,
    /// The gate that refused.
    pub reason: Option<Reason>,
    /// The text to store: the answer, or its beginning when it was trimmed and accepted.
    pub text: &'a str,
    /// What was measured, rounded to four decimals, and `trimmed` when it was.
    pub scores: Map<String, Value>,
}

/// Judges an answer by a job's gates and the audience's own length.
///
/// With `preset: none`, only gates that the job sets itself are on.
pub fn judge<'a>(gates: &GateSpec, audience: &AudienceSpec, answer: Answer<'a>) -> Judgement<'a> {
    let mut scores = Map::new();
    match pass(gates, audience, &answer, &mut scores) {
        Ok(text) => Judgement { verdict: Verdict::Accepted, reason: None, text, scores },
        Err(reason) => {
            scores.remove(TRIMMED);
            scores.remove(TOKENS_KEPT);
            let reason = Some(reason);
            Judgement { verdict: Verdict::Rejected, reason, text: answer.text, scores }
        }
    }
}

/// Name of the score that says that a text was cut.
const TRIMMED: &str = "trimmed";
/// Name of the score that estimates the tokens left of a text that was cut, by its share of the bytes.
pub(crate) const TOKENS_KEPT: &str = "tokens_kept";

fn pass<'a>(
    gates: &GateSpec,
    audience: &AudienceSpec,
    answer: &Answer<'a>,
    scores: &mut Map<String, Value>,
) -> Result<&'a str, Reason> {
    let on = gates.preset == GatePreset::Default;
    if on && empty::is_empty(answer.text) {
        return Err(Reason::Empty);
    }
    let text = whole(gates, on, answer)?;
    if text.len() < answer.text.trim_end().len() {
        scores.insert(TRIMMED.to_owned(), Value::Bool(true));
    }
    let tokens = tokens_kept(answer, text);
    if scores.contains_key(TRIMMED) {
        scores.insert(TOKENS_KEPT.to_owned(), Value::from(tokens));
    }
    if tokens < too_short::bound(gates, audience, answer.output) {
        return Err(Reason::TooShort);
    }
    if tokens > too_long::bound(gates) {
        return Err(Reason::TooLong);
    }
    if answer.output != OutputKind::Text && on {
        // Lists, scores and chats repeat words by their nature; their form is their reader's to check.
        return refuse_refusal(text);
    }
    let answer_words = words(text);
    if let Some(bound) = bound(on, gates.max_prompt_echo, prompt_echo::DEFAULT_SHARE) {
        let share = prompt_echo::share(&answer_words, &words(answer.prompt));
        note(scores, "prompt_echo", share);
        if share > bound {
            return Err(Reason::PromptEcho);
        }
    }
    if on {
        refuse_refusal(text)?;
    }
    if let Some(bound) = bound(on, gates.max_duplicate_lines, repetition::DEFAULT_LINE_SHARE) {
        let share = repetition::duplicate_lines(text);
        note(scores, "duplicate_lines", share);
        if share > bound {
            return Err(Reason::Repetition);
        }
    }
    if let Some(bound) = bound(on, gates.max_duplicate_ngrams, repetition::DEFAULT_NGRAM_SHARE) {
        let share = repetition::duplicate_ngrams(&answer_words);
        note(scores, "duplicate_ngrams", share);
        if share > bound {
            return Err(Reason::Repetition);
        }
    }
    Ok(text)
}

/// What there is to judge of an answer that did not end by itself.
fn whole<'a>(gates: &GateSpec, on: bool, answer: &Answer<'a>) -> Result<&'a str, Reason> {
    let text = answer.text;
    match answer.finish_reason {
        FinishReason::Length if on || gates.truncated == Truncated::Trim => {
            truncated::keep(text, gates.truncated, answer.output).ok_or(Reason::Truncated)
        }
        FinishReason::Loop if on || gates.looped == Looped::Trim => {
            looped::keep(text, gates.looped, answer.output).ok_or(Reason::Looped)
        }
        _ => Ok(text),
    }
}

fn refuse_refusal(text: &str) -> Result<&str, Reason> {
    if refusal::is_refusal(text) { Err(Reason::Refusal) } else { Ok(text) }
}

/// The bound of a share: the job's own, else the default where the preset has it on.
fn bound(on: bool, own: Option<f32>, default: f32) -> Option<f64> {
    own.or(on.then_some(default)).map(f64::from)
}

fn note(scores: &mut Map<String, Value>, name: &str, share: f64) {
    scores.insert(name.to_owned(), Value::from((share * 10_000.0).round() / 10_000.0));
}

/// Tokens of the kept part, in proportion to its bytes.
fn tokens_kept(answer: &Answer<'_>, kept: &str) -> u64 {
    let whole = answer.text.len().max(1) as u128;
    let tokens = u128::from(answer.completion_tokens) * kept.len() as u128 / whole;
    u64::try_from(tokens).unwrap_or(u64::MAX)
}

/// Share of `part` in `whole`; an empty whole has no share.
fn share_of(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
