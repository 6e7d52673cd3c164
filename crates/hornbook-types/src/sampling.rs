//! How tokens are drawn.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::{LOGIT_BIASES, MAX_TOKENS, STOP_BYTES, STOPS};
use crate::{FieldError, ResponseFormat};

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
    /// Divides the logits, or multiplies those below 0, of tokens that stand in prompt or answer;
    /// 1 switches it off. Default 1.2.
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
    /// Texts that end an answer before they would appear in it, at most 16; OpenAI itself takes 4.
    /// Default none.
    #[serde(skip_serializing_if = "is_default")]
    pub stop: Vec<String>,
    /// Fewest new tokens: before that many, nothing ends an answer but `stop` and a full context.
    /// Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub min_tokens: u32,
    /// Added to the logits of tokens, by their number in the model's vocabulary. Default none.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(value_type = BTreeMap<String, f32>)]
    pub logit_bias: BTreeMap<u32, f32>,
    /// The local engine ends an answer once its last 128 tokens or more are three copies of one
    /// run of at most 256 tokens, with the finish reason `loop`, and keeps what was repeated; so
    /// does an endpoint with the option `hornbook_engine`, and no other. Default true.
    #[serde(skip_serializing_if = "is_true")]
    pub stop_loops: bool,
    /// Shape that every answer must have; each of the job's endpoints must be able to keep to it.
    /// Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ResponseFormat>)]
    pub response_format: Option<Arc<ResponseFormat>>,
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
            response_format: None,
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
        if let Some(format) = &self.response_format {
            format.check(&format!("{at}/response_format"), faults);
        }
    }
}

impl Sampling {
    /// The settings that are not every job's, where they are switched on: name and value, for
    /// people to read.
    pub fn unusual(&self) -> Vec<(&'static str, String)> {
        let numbers = [
            ("Min p", self.min_p),
            ("Frequency penalty", self.frequency_penalty),
            ("Presence penalty", self.presence_penalty),
        ];
        let set = numbers.into_iter().filter(|(_, number)| *number != 0.0);
        let mut unusual: Vec<(&'static str, String)> =
            set.map(|(name, number)| (name, number.to_string())).collect();
        if self.min_tokens > 0 {
            unusual.push(("Fewest tokens", self.min_tokens.to_string()));
        }
        if !self.stop.is_empty() {
            let stops: Vec<String> = self.stop.iter().map(|stop| format!("{stop:?}")).collect();
            unusual.push(("Stop at", stops.join(", ")));
        }
        if !self.logit_bias.is_empty() {
            unusual.push(("Logit bias", format!("on {} tokens", self.logit_bias.len())));
        }
        if !self.stop_loops {
            unusual.push(("Loops", "not ended".to_owned()));
        }
        if let Some(format) = &self.response_format {
            unusual.push(("Answers", format!("JSON as {}", format.schema().name)));
        }
        unusual
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn everything() -> Value {
        json!({
            "temperature": 0.5, "top_p": 0.25, "top_k": 7, "repetition_penalty": 1.5,
            "max_tokens": 99, "min_p": 0.125, "frequency_penalty": -0.5,
            "presence_penalty": 2.0, "stop": ["\n\nQ:", "é"], "min_tokens": 9,
            "logit_bias": {"9": -100.0, "10": 1.5}, "stop_loops": false,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "quiz", "schema": {"type": "object"}, "strict": true}
            },
            "seed": "18446744073709551615"
        })
    }

    fn faults(changes: Value) -> Vec<String> {
        let mut sampling = everything();
        for (field, value) in changes.as_object().expect("an object") {
            sampling[field] = value.clone();
        }
        let sampling: Sampling = serde_json::from_value(sampling).expect("the types fit");
        let mut faults = Vec::new();
        sampling.check("/sampling", &mut faults);
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    /// The digest of a job's spec covers these bytes: a new field must not show where it is not
    /// used.
    #[test]
    fn defaults_are_written_as_they_always_were() {
        let expected = r#"{"temperature":0.6,"top_p":0.95,"top_k":50,"repetition_penalty":1.2,"max_tokens":2500,"seed":"0"}"#;
        let written = serde_json::to_string(&Sampling::default()).expect("plain data");
        assert_eq!(written, expected);
        let said = json!({
            "min_p": -0.0, "frequency_penalty": 0, "presence_penalty": 0, "stop": [],
            "min_tokens": 0, "logit_bias": {}, "stop_loops": true
        });
        let said: Sampling = serde_json::from_value(said).expect("the types fit");
        assert_eq!(serde_json::to_string(&said).expect("plain data"), expected);
    }

    #[test]
    fn every_field_is_read_back() {
        let sampling: Sampling = serde_json::from_value(everything()).expect("the types fit");
        let written = serde_json::to_value(&sampling).expect("plain data");
        assert_eq!(written, everything());
        let text = serde_json::to_string(&sampling).expect("plain data");
        let read: Sampling = serde_json::from_str(&text).expect("what was written");
        assert_eq!(read, sampling);
        assert_eq!(sampling.logit_bias, BTreeMap::from([(9, -100.0), (10, 1.5)]));
        assert_eq!(faults(json!({})), [""; 0]);
    }

    #[test]
    fn only_what_is_unusual_is_told() {
        assert_eq!(Sampling::default().unusual(), []);
        let sampling: Sampling = serde_json::from_value(everything()).expect("the types fit");
        let told: Vec<String> =
            sampling.unusual().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        let expected = [
            "Min p 0.125",
            "Frequency penalty -0.5",
            "Presence penalty 2",
            "Fewest tokens 9",
            "Stop at \"\\n\\nQ:\", \"é\"",
            "Logit bias on 2 tokens",
            "Loops not ended",
            "Answers JSON as quiz",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (field, bad) in [
            ("min_p", json!(1.01)),
            ("min_p", json!(-0.01)),
            ("frequency_penalty", json!(2.1)),
            ("presence_penalty", json!(-2.1)),
            ("stop", json!([""])),
            ("stop", json!(["x".repeat(STOP_BYTES + 1)])),
            ("stop", json!(vec!["x"; 17])),
            ("min_tokens", json!(100)),
            ("logit_bias", json!({"1": 100.5})),
            ("logit_bias", (0..=LOGIT_BIASES).map(|n| (n.to_string(), json!(1))).collect()),
        ] {
            assert_eq!(faults(json!({ field: bad })), [format!("/sampling/{field}")], "{bad}");
        }
        for (field, good) in [
            ("min_p", json!(1)),
            ("stop", json!(["x".repeat(STOP_BYTES)])),
            ("stop", json!(vec!["x"; 16])),
            ("min_tokens", json!(99)),
            ("logit_bias", json!({"0": 100, "4294967295": -100})),
        ] {
            assert_eq!(faults(json!({ field: good })), [""; 0], "{field}: {good}");
        }
        for bad in [json!({"logit_bias": {"x": 1}}), json!({"logit_bias": {"-1": 1}})] {
            assert!(serde_json::from_value::<Sampling>(bad).is_err());
        }
    }
}
