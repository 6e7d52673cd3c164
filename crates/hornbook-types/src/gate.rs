//! Checks on one document, and the names under which they refuse one.

use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::limits::{BANNED_OPENING_BYTES, BANNED_OPENINGS, GRADES};

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
    /// Largest share of the answer's word 8-grams that stand in the prompt, 0 to 1. Default 0.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_prompt_echo: Option<f32>,
    /// Largest share of the answer's word 8-grams that stand in the seed's own text, 0 to 1. Default 0.25.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_seed_copy: Option<f32>,
    /// The language that answers must be in; default: the prompt's. `any` switches the gate off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// School grades by which a text may miss the audience's range; default: by the audience's rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade_tolerance: Option<f32>,
    /// Phrases that no document may begin with, in place of the built-in ones; `[]` switches the gate off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub banned_openings: Option<Vec<String>>,
    /// Largest share of a corpus's documents that may begin with the same four words, above 0 to 1; what is
    /// above it is dropped at assembly as `common_opening`. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_opening_share: Option<f32>,
    /// How a text must end. Default `sentence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Most profane words that a document may have. Default: not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_profane_words: Option<u32>,
    /// What to put a placeholder in place of, in documents that are accepted. Default: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mask: Vec<Mask>,
}

/// A language that answers can be told to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Whatever language there is.
    Any,
    /// Arabic.
    Ar,
    /// German.
    De,
    /// English.
    En,
    /// Spanish.
    Es,
    /// French.
    Fr,
    /// Hindi.
    Hi,
    /// Italian.
    It,
    /// Japanese.
    Ja,
    /// Korean.
    Ko,
    /// Dutch.
    Nl,
    /// Portuguese.
    Pt,
    /// Russian.
    Ru,
    /// Swedish.
    Sv,
    /// Turkish.
    Tr,
    /// Vietnamese.
    Vi,
    /// Chinese.
    Zh,
}

impl Language {
    /// Its ISO 639-1 code, the name used in JSON; `any` for any.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Ar => "ar",
            Self::De => "de",
            Self::En => "en",
            Self::Es => "es",
            Self::Fr => "fr",
            Self::Hi => "hi",
            Self::It => "it",
            Self::Ja => "ja",
            Self::Ko => "ko",
            Self::Nl => "nl",
            Self::Pt => "pt",
            Self::Ru => "ru",
            Self::Sv => "sv",
            Self::Tr => "tr",
            Self::Vi => "vi",
            Self::Zh => "zh",
        }
    }
}

/// How a text must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Running prose ends with a whole sentence; lists, code, tables and verse end as they like.
    Sentence,
    /// In any way.
    Any,
}

/// What can be masked in a document.
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
pub enum Mask {
    /// E-mail addresses become `[email]`.
    Email,
    /// Telephone numbers become `[phone]`.
    Phone,
    /// Public IP addresses become `[ip]`.
    Ip,
    /// Profane words become `[profanity]`.
    Profanity,
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
    /// Copies the seed's own text.
    SeedCopy,
    /// Repeats the prompt.
    PromptEcho,
    /// The model declined instead of writing.
    Refusal,
    /// Begins with a phrase that no document may begin with.
    BannedOpening,
    /// Prose that stops in the middle of a sentence though nothing cut it.
    Unfinished,
    /// Another language than was asked for.
    Language,
    /// Easier or harder to read than its audience can use.
    Readability,
    /// More profane words than allowed.
    Profanity,
    /// Repeats itself.
    Repetition,
    /// Too many documents of the corpus begin with the same words.
    CommonOpening,
    /// Same normalised text as an earlier document of the corpus.
    DuplicateExact,
}

impl Reason {
    /// Every reason, in the order in which gates are tried.
    pub const ALL: [Self; 16] = [
        Self::Empty,
        Self::Truncated,
        Self::Looped,
        Self::TooShort,
        Self::TooLong,
        Self::BannedOpening,
        Self::Refusal,
        Self::SeedCopy,
        Self::PromptEcho,
        Self::Repetition,
        Self::Unfinished,
        Self::Language,
        Self::Readability,
        Self::Profanity,
        Self::CommonOpening,
        Self::DuplicateExact,
    ];

    /// Gates that are tried when an answer arrives; those not named here belong to assembly, because
    /// they compare documents with each other.
    pub const ON_ARRIVAL: [Self; 14] = [
        Self::Empty,
        Self::Truncated,
        Self::Looped,
        Self::TooShort,
        Self::TooLong,
        Self::BannedOpening,
        Self::Refusal,
        Self::SeedCopy,
        Self::PromptEcho,
        Self::Repetition,
        Self::Unfinished,
        Self::Language,
        Self::Readability,
        Self::Profanity,
    ];

    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Looped => "looped",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::BannedOpening => "banned_opening",
            Self::Refusal => "refusal",
            Self::Unfinished => "unfinished",
            Self::SeedCopy => "seed_copy",
            Self::PromptEcho => "prompt_echo",
            Self::Repetition => "repetition",
            Self::Language => "language",
            Self::Readability => "readability",
            Self::Profanity => "profanity",
            Self::CommonOpening => "common_opening",
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
            ("max_seed_copy", self.max_seed_copy),
        ];
        for (field, share) in shares {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                faults.push(FieldError::new(format!("{at}/{field}"), "needs 0 to 1"));
            }
        }
        if self.max_opening_share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            faults.push(FieldError::new(format!("{at}/max_opening_share"), "needs above 0, to 1"));
        }
        if self.grade_tolerance.is_some_and(|grades| !(0.0..=GRADES).contains(&grades)) {
            let range = format!("needs 0 to {GRADES}");
            faults.push(FieldError::new(format!("{at}/grade_tolerance"), range));
        }
        self.check_openings(at, faults);
        if let (Some(min), Some(max)) = (self.min_tokens, self.max_tokens)
            && min > max
        {
            faults.push(FieldError::new(format!("{at}/min_tokens"), "is above max_tokens"));
        }
    }
    fn check_openings(&self, at: &str, faults: &mut Vec<FieldError>) {
        let phrases = self.banned_openings.as_deref().unwrap_or_default();
        let at = format!("{at}/banned_openings");
        if phrases.len() > BANNED_OPENINGS {
            faults.push(FieldError::new(&at, format!("has more than {BANNED_OPENINGS} phrases")));
        }
        for (index, phrase) in phrases.iter().enumerate().take(BANNED_OPENINGS) {
            let letters = phrase.chars().any(char::is_alphanumeric);
            if !letters || phrase.len() > BANNED_OPENING_BYTES {
                let needs = format!("needs a word, and at most {BANNED_OPENING_BYTES} bytes");
                faults.push(FieldError::new(format!("{at}/{index}"), needs));
            }
        }
    }
}
