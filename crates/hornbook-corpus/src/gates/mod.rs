//! Checks on one document as it arrives; one gate a file, all cheap.
//!
//! A gate either passes a document or refuses it under its own name
//! ([`hornbook_types::Reason`]). Gates run in the order of `Reason::ON_ARRIVAL` and stop at
//! the first refusal. Every one takes time linear in the text (n log n for n-grams of
//! at most a million words), whatever the text. What compares documents with each other
//! belongs to assembly: [`OpeningCap`] is for it to call, document after document.
//!
//! What each gate does, its default, where that comes from and whom it refuses: docs/GATES.md.

mod empty;
mod language;
mod looped;
mod mask;
mod opening;
mod opening_cap;
mod overlap;
mod profanity;
mod prompt_echo;
mod prose;
mod readability;
mod refusal;
mod repetition;
mod seed_copy;
mod too_long;
mod too_short;
mod truncated;
mod unfinished;

use std::borrow::Cow;

use hornbook_types::{
    AudienceSpec, Ending, FinishReason, GatePreset, GateSpec, Language, Looped, OutputKind, Reason,
    Truncated, Verdict,
};
use serde_json::{Map, Value};

pub use self::opening_cap::OpeningCap;
pub(crate) use self::opening_cap::{opening, opening_key};
use crate::words::words;

/// The language that a text begins in and, of English, its Flesch-Kincaid grade; `None` where there is too
/// little running text to tell.
pub(crate) fn reading(text: &str) -> (Option<Language>, Option<f64>) {
    let language = language::Samples::of(text).begins_in();
    let is_english = language == Some(Language::En);
    let grades = if is_english { readability::measure(text) } else { None };
    (language, grades.map(|grades| grades.flesch_kincaid))
}

/// An answer to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The prompt as sent.
    pub prompt: &'a str,
    /// The answer as received.
    pub text: &'a str,
    /// The seed's record, whose texts an answer should not recite.
    pub seed: &'a Map<String, Value>,
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
    /// The text to store: the answer, or when it was accepted, its beginning if it was trimmed, with
    /// placeholders if there was something to mask.
    pub text: Cow<'a, str>,
    /// What was measured, rounded to four decimals, and `trimmed` when it was.
    pub scores: Map<String, Value>,
}

/// Judges an answer by a job's gates and the audience's own length.
///
/// With `preset: none`, only gates that the job sets itself are on.
pub fn judge<'a>(gates: &GateSpec, audience: &AudienceSpec, answer: Answer<'a>) -> Judgement<'a> {
    let mut scores = Map::new();
    let passed = pass(gates, audience, &answer, &mut scores);
    let (verdict, reason, text) = match passed {
        Ok(text) => (Verdict::Accepted, None, masked(gates, text, &mut scores)),
        Err(reason) => {
            scores.remove(TRIMMED);
            scores.remove(TOKENS_KEPT);
            (Verdict::Rejected, Some(reason), Cow::Borrowed(answer.text))
        }
    };
    Judgement { verdict, reason, text, scores }
}

/// Share of a text that stands in its seed.
const SEED_COPY: &str = "seed_copy";
/// Share of a text that stands in its prompt.
const PROMPT_ECHO: &str = "prompt_echo";
/// Share of lines that repeat an earlier one.
const DUPLICATE_LINES: &str = "duplicate_lines";
/// Share of word n-grams that repeat an earlier one.
const DUPLICATE_NGRAMS: &str = "duplicate_ngrams";
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
        refuse(refusal::is_refusal(text), Reason::Refusal)?;
        return Ok(text);
    }
    begins_well(gates, on, text)?;
    says_something_new(gates, on, text, answer, scores)?;
    let whole = gates.ending.or(on.then_some(Ending::Sentence)) == Some(Ending::Sentence);
    refuse(whole && unfinished::is_unfinished(text), Reason::Unfinished)?;
    suits_its_reader(gates, on, text, audience, answer, scores)?;
    Ok(text)
}

fn begins_well(gates: &GateSpec, on: bool, text: &str) -> Result<(), Reason> {
    if on || gates.banned_openings.is_some() {
        let is_banned = opening::is_banned(text, gates.banned_openings.as_deref());
        refuse(is_banned, Reason::BannedOpening)?;
    }
    refuse(on && refusal::is_refusal(text), Reason::Refusal)
}

/// Refuses what repeats the seed, the prompt or itself.
fn says_something_new(
    gates: &GateSpec,
    on: bool,
    text: &str,
    answer: &Answer<'_>,
    scores: &mut Map<String, Value>,
) -> Result<(), Reason> {
    let answer_words = words(text);
    if let Some(bound) = bound(on, gates.max_seed_copy, seed_copy::DEFAULT_SHARE) {
        let share = seed_copy::seed_share(&answer_words, answer.seed);
        note(scores, SEED_COPY, share);
        refuse(share > bound, Reason::SeedCopy)?;
    }
    if let Some(bound) = bound(on, gates.max_prompt_echo, prompt_echo::DEFAULT_SHARE) {
        let share = prompt_echo::share(&answer_words, &words(answer.prompt));
        note(scores, PROMPT_ECHO, share);
        refuse(share > bound, Reason::PromptEcho)?;
    }
    if let Some(bound) = bound(on, gates.max_duplicate_lines, repetition::DEFAULT_LINE_SHARE) {
        let share = repetition::duplicate_lines(text);
        note(scores, DUPLICATE_LINES, share);
        refuse(share > bound, Reason::Repetition)?;
    }
    if let Some(bound) = bound(on, gates.max_duplicate_ngrams, repetition::DEFAULT_NGRAM_SHARE) {
        let share = repetition::duplicate_ngrams(&answer_words);
        note(scores, DUPLICATE_NGRAMS, share);
        refuse(repetition::is_loop(text, share, bound), Reason::Repetition)?;
    }
    Ok(())
}

/// Refuses another language, another level and words that no reader is to see.
fn suits_its_reader(
    gates: &GateSpec,
    on: bool,
    text: &str,
    audience: &AudienceSpec,
    answer: &Answer<'_>,
    scores: &mut Map<String, Value>,
) -> Result<(), Reason> {
    let samples = language::Samples::of(text);
    if (on || gates.language.is_some()) && gates.language != Some(Language::Any) {
        let is_foreign = language::is_foreign(&samples, answer.prompt, gates.language);
        refuse(is_foreign, Reason::Language)?;
    }
    let default = readability::default_tolerance(audience);
    if let Some(tolerance) = bound(on, gates.grade_tolerance, default)
        && samples.begins_in_english()
        && let Some(grades) = readability::measure(text)
    {
        note(scores, "flesch_kincaid", grades.flesch_kincaid);
        note(scores, "coleman_liau", grades.coleman_liau);
        refuse(readability::is_off(grades, audience, tolerance), Reason::Readability)?;
    }
    let Some(most) = gates.max_profane_words else { return Ok(()) };
    let profane = profanity::find(text).take(most as usize + 1).count();
    refuse(profane > most as usize, Reason::Profanity)
}

/// The shares that [`judge`] notes and the bounds of those that are on.
pub(crate) fn share_bounds(gates: &GateSpec) -> Vec<(&'static str, f32)> {
    let on = gates.preset == GatePreset::Default;
    let all = [
        (SEED_COPY, gates.max_seed_copy, seed_copy::DEFAULT_SHARE),
        (PROMPT_ECHO, gates.max_prompt_echo, prompt_echo::DEFAULT_SHARE),
        (DUPLICATE_LINES, gates.max_duplicate_lines, repetition::DEFAULT_LINE_SHARE),
        (DUPLICATE_NGRAMS, gates.max_duplicate_ngrams, repetition::DEFAULT_NGRAM_SHARE),
    ];
    let known = all.into_iter();
    known.filter_map(|(name, own, default)| Some((name, own.or(on.then_some(default))?))).collect()
}

fn refuse(fails: bool, reason: Reason) -> Result<(), Reason> {
    if fails { Err(reason) } else { Ok(()) }
}

/// What is stored of a text that passed; what was masked is counted among the scores.
fn masked<'a>(gates: &GateSpec, text: &'a str, scores: &mut Map<String, Value>) -> Cow<'a, str> {
    let Some(masked) = mask::mask(text, &gates.mask) else { return Cow::Borrowed(text) };
    for (kind, count) in masked.counts {
        scores.insert(mask::score(kind).to_owned(), Value::from(count));
    }
    Cow::Owned(masked.text)
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
