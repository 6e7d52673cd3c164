//! Whom a text is for.

use serde::{Deserialize, Serialize};

use crate::{FieldError, Invalid};

/// One audience's content: what a template may say about its reader.
///
/// Audiences differ in *content*; one that differed only by name would make
/// duplicates, which is what the catalog's lint refuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AudienceSpec {
    /// Name shown to people, such as "Middle school".
    pub title: String,
    /// Place on the ladder, 0 (toddler) to 6 (graduate); absent off the ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<i16>,
    /// Who the reader is, in a phrase that can follow "for" ("children aged 11 to 14").
    pub reader: String,
    /// How to write for this reader; one instruction a line.
    pub instructions: Vec<String>,
    /// Which words to use, and how to treat new ones.
    pub vocabulary: String,
    /// What to leave out.
    pub leave_out: Vec<String>,
    /// How to treat formulas and numbers.
    pub formulas: String,
    /// How to end the text.
    pub ending: String,
    /// Target length in tokens.
    pub tokens: TokenRange,
    /// Target reading grade (Flesch-Kincaid).
    pub grade: GradeRange,
}

/// A target length in tokens, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRange {
    /// Shortest text that still serves this audience; the default of the gate `too_short`.
    pub min: u32,
    /// Longest text worth asking for.
    pub max: u32,
}

/// A target Flesch-Kincaid grade, both ends included; an open end is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GradeRange {
    /// Lowest grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f32>,
    /// Highest grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f32>,
}

impl AudienceSpec {
    /// Checks what the types alone cannot: nothing empty, ranges the right way round, no U+0000.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        let texts = [
            ("/title", &self.title),
            ("/reader", &self.reader),
            ("/vocabulary", &self.vocabulary),
            ("/formulas", &self.formulas),
            ("/ending", &self.ending),
        ];
        for (pointer, text) in texts {
            if text.trim().is_empty() {
                faults.push(FieldError::new(pointer, "must not be empty"));
            }
        }
        if self.instructions.is_empty() {
            faults.push(FieldError::new("/instructions", "at least one instruction is needed"));
        }
        if self.tokens.min == 0 || self.tokens.min > self.tokens.max {
            faults.push(FieldError::new("/tokens", "needs 0 < min <= max"));
        }
        if let (Some(min), Some(max)) = (self.grade.min, self.grade.max)
            && min > max
        {
            faults.push(FieldError::new("/grade", "needs min <= max"));
        }
        Invalid::from_faults(faults)
    }
}
