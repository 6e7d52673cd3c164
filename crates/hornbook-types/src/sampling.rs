//! How tokens are drawn.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{FieldError, limits::MAX_TOKENS};

/// Sampling settings of a job. Defaults are those published with Cosmopedia.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Softmax temperature; 0 is greedy. Default 0.6.
    pub temperature: f32,
    /// Nucleus: the smallest set of tokens with this much probability. Default 0.95.
    pub top_p: f32,
    /// Only the k likeliest tokens; 0 switches it off. Default 50.
    pub top_k: u32,
    /// Divides the logits of tokens already seen; 1 switches it off. Default 1.2.
    pub repetition_penalty: f32,
    /// Most new tokens per prompt. Default 2500.
    pub max_tokens: u32,
    /// The job's seed; prompt `seq` draws with hash(seed, seq). Default "0".
    pub seed: JobSeed,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.6,
            top_p: 0.95,
            top_k: 50,
            repetition_penalty: 1.2,
            max_tokens: 2_500,
            seed: JobSeed(0),
        }
    }
}

impl Sampling {
    /// Appends every fault to `faults`, with pointers below `at`.
    pub fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        let mut require = |ok: bool, field: &str, detail: &str| {
            if !ok {
                faults.push(FieldError::new(format!("{at}/{field}"), detail));
            }
        };
        require((0.0..=5.0).contains(&self.temperature), "temperature", "needs 0 to 5");
        require(self.top_p > 0.0 && self.top_p <= 1.0, "top_p", "needs more than 0 and at most 1");
        require(
            (0.1..=10.0).contains(&self.repetition_penalty),
            "repetition_penalty",
            "needs 0.1 to 10",
        );
        require((1..=MAX_TOKENS).contains(&self.max_tokens), "max_tokens", "needs 1 to 131072");
    }
}

/// A 64-bit seed; a decimal string in JSON, because JavaScript rounds larger integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobSeed(pub u64);

impl fmt::Display for JobSeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

impl FromStr for JobSeed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| {
            "a seed is a whole number from 0 to 18446744073709551615, as a string".to_owned()
        })
    }
}

impl Serialize for JobSeed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobSeed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for JobSeed {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}
impl utoipa::ToSchema for JobSeed {}
