//! Checks on one document, and the names under which they refuse one.

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// Settings of the gates that every document passes on arrival.
///
/// An absent field means the documented default, which for lengths is the audience's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateSpec {
    /// `default`, or `none` to switch every gate off.
    pub preset: GatePreset,
    /// Fewest tokens; default: the audience's `tokens.min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<u32>,
    /// Most tokens; default: no bound but `max_tokens` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// What to do with an answer that hit `max_tokens`. Default `reject`.
    pub truncated: Truncated,
    /// What to do with an answer that was ended because it went in circles. Default `reject`.
    #[serde(skip_serializing_if = "Looped::is_default")]
    pub looped: Looped,
    /// Largest share of lines that repeat an earlier line, 0 to 1. Default 0.3 (Gopher).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duplicate_lines: Option<f32>,
    /// Largest share of word 4-grams that repeat an earlier one, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duplicate_ngrams: Option<f32>,
    /// Largest share of the answer's word 8-grams that stand in the prompt, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_prompt_echo: Option<f32>,
}

/// Which gates are on before a job's own settings.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum GatePreset {
    /// All gates, with their documented defaults.
    #[default]
    Default,
    /// No gate at all.
    None,
}

/// What to do with an answer cut off by `max_tokens`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Truncated {
    /// Reject it as `truncated`.
    #[default]
    Reject,
    /// Cut at the last complete sentence if at least 60 % remains, else reject it.
    Trim,
}

/// What to do with an answer whose finish reason is `loop`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Looped {
    /// Reject it as `looped`.
    #[default]
    Reject,
    /// Cut off all copies but the first of what is repeated, then go back to the last complete
    /// sentence; reject the answer unless at least 60 % remains.
    Trim,
}

impl Looped {
    /// A spec that does not say it keeps the digest that it had before it could be said.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a document was rejected: the gate's name.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing but white space.
    Empty,
    /// Cut off by `max_tokens`.
    Truncated,
    /// Ended because it went in circles.
    Looped,
    /// Fewer tokens than `min_tokens`.
    TooShort,
    /// More tokens than `max_tokens`.
    TooLong,
    /// Repeats the prompt.
    PromptEcho,
    /// The model declined instead of writing.
    Refusal,
    /// Repeats itself.
    Repetition,
    /// Same normalised text as an earlier document of the corpus.
    DuplicateExact,
}

impl Reason {
    /// Every reason, in the order in which gates are tried.
    pub const ALL: [Self; 9] = [
        Self::Empty,
        Self::Truncated,
        Self::Looped,
        Self::TooShort,
        Self::TooLong,
        Self::PromptEcho,
        Self::Refusal,
        Self::Repetition,
        Self::DuplicateExact,
    ];

    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Looped => "looped",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::PromptEcho => "prompt_echo",
            Self::Refusal => "refusal",
            Self::Repetition => "repetition",
            Self::DuplicateExact => "duplicate_exact",
        }
    }
}

impl GateSpec {
    /// Appends every fault to `faults`, with pointers below `at`.
    pub fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        let shares = [
            ("max_duplicate_lines", self.max_duplicate_lines),
            ("max_duplicate_ngrams", self.max_duplicate_ngrams),
            ("max_prompt_echo", self.max_prompt_echo),
        ];
        for (field, share) in shares {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                faults.push(FieldError::new(format!("{at}/{field}"), "needs 0 to 1"));
            }
        }
        if let (Some(min), Some(max)) = (self.min_tokens, self.max_tokens)
            && min > max
        {
            faults.push(FieldError::new(format!("{at}/min_tokens"), "is above max_tokens"));
        }
    }
}
