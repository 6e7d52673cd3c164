//! How tokens are drawn.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::limits::{LOGIT_BIASES, MAX_TOKENS, STOP_BYTES, STOPS};

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
    /// Only tokens with at least this share of the likeliest token's probability; 0 switches it
    /// off. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub min_p: f32,
    /// Taken from a token's logit once per time it stands in the answer, as OpenAI defines it.
    /// Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub frequency_penalty: f32,
    /// Taken from a token's logit once it stands in the answer, as OpenAI defines it. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub presence_penalty: f32,
    /// Texts that end an answer before they would appear in it. Default none.
    #[serde(skip_serializing_if = "is_default")]
    pub stop: Vec<String>,
    /// Fewest new tokens: before that many, nothing ends an answer but `stop`. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub min_tokens: u32,
    /// Added to the logits of tokens, by their number in the model's vocabulary. Default none.
    #[serde(skip_serializing_if = "is_default")]
    pub logit_bias: BTreeMap<u32, f32>,
    /// The local engine ends an answer that repeats itself, with the finish reason `loop`; other
    /// endpoints cannot. Default true.
    #[serde(skip_serializing_if = "is_true")]
    pub stop_loops: bool,
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
            min_p: 0.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            stop: Vec::new(),
            min_tokens: 0,
            logit_bias: BTreeMap::new(),
            stop_loops: true,
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
        require((0.0..=1.0).contains(&self.min_p), "min_p", "needs 0 to 1");
        let penalties = -2.0..=2.0;
        require(penalties.contains(&self.frequency_penalty), "frequency_penalty", "needs -2 to 2");
        require(penalties.contains(&self.presence_penalty), "presence_penalty", "needs -2 to 2");
        let stops_fit = self.stop.iter().all(|stop| (1..=STOP_BYTES).contains(&stop.len()));
        let stops_fit = stops_fit && self.stop.len() <= STOPS;
        require(stops_fit, "stop", "needs at most 16 texts of 1 to 256 bytes");
        require(self.min_tokens <= self.max_tokens, "min_tokens", "needs at most max_tokens");
        let biases_fit = self.logit_bias.values().all(|bias| (-100.0..=100.0).contains(bias));
        let biases_fit = biases_fit && self.logit_bias.len() <= LOGIT_BIASES;
        require(biases_fit, "logit_bias", "needs at most 1024 numbers from -100 to 100");
    }
}

/// What is not said is not stored, so that the digest of a job's spec does not change when a
/// field is added.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_true(value: &bool) -> bool {
    *value
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
