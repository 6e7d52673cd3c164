//! The free-form options of an endpoint, and what can be wrong with a configuration.

use std::time::Duration;

use hornbook_types::EndpointPreset;
use serde_json::{Map, Value};

use crate::preset::{self, JsonSchema, MinP, Preset, STRUCTURED_OUTPUT, TopK};

/// Most fields that options may have.
const OPTION_FIELDS: usize = 64;
/// Most attempts that options may ask for.
const ATTEMPTS_MAX: u64 = 20;
/// Longest attempt that options may ask for.
const ATTEMPT_TIMEOUT_SECONDS_MAX: f64 = 86_400.0;

/// Fields that would change which question is asked, or what an answer looks like.
const RESERVED: [&str; 4] = ["model", "messages", "stream", "n"];

/// What is wrong with an endpoint's configuration; never holds the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The base URL cannot be used.
    #[error("bad base url: {0}")]
    BadUrl(String),
    /// The key has characters that no HTTP header can carry.
    #[error("the key has characters that cannot be sent")]
    BadKey,
    /// An option that cannot be used, by its name.
    #[error("bad option {name}: {detail}")]
    BadOption {
        /// The option.
        name: String,
        /// What is wrong with it.
        detail: &'static str,
    },
}

/// Options, sorted into ours and the endpoint's.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// What the server takes: its make's row, as the options change it.
    pub(crate) row: Preset,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempts: Option<u32>,
    /// Longest that a batch waits for more requests.
    pub(crate) batch_linger: Option<Duration>,
    /// Time between two looks at a batch.
    pub(crate) batch_poll: Option<Duration>,
    /// Merged into each body; `null` takes a field away.
    pub(crate) body: Map<String, Value>,
}

impl Options {
    /// Reads the options of an endpoint whose make is known by `row`.
    pub(crate) fn parse(options: &Map<String, Value>, row: &Preset) -> Result<Self, ConfigError> {
        if options.len() > OPTION_FIELDS {
            return Err(bad("*", "too many options; at most 64"));
        }
        let mut parsed = Self {
            row: *row,
            timeout: None,
            attempts: None,
            batch_linger: None,
            batch_poll: None,
            body: Map::new(),
        };
        for (name, value) in options {
            match name.as_str() {
                "extra_sampling" => {
                    if flag(name, value)? {
                        add_extra_sampling(&mut parsed.row);
                    }
                }
                "hornbook_engine" => {
                    if flag(name, value)? {
                        parsed.row = *preset::of(EndpointPreset::HornbookEngine);
                    }
                }
                STRUCTURED_OUTPUT => {
                    let spelling = row.json_schema.unwrap_or(JsonSchema::ResponseFormat);
                    parsed.row.json_schema = flag(name, value)?.then_some(spelling);
                }
                "timeout_seconds" => parsed.timeout = Some(seconds(name, value)?),
                "batch_linger_seconds" => parsed.batch_linger = Some(seconds(name, value)?),
                "batch_poll_seconds" => parsed.batch_poll = Some(seconds(name, value)?),
                "attempts" => {
                    parsed.attempts = value
                        .as_u64()
                        .filter(|attempts| (1..=ATTEMPTS_MAX).contains(attempts))
                        .and_then(|attempts| u32::try_from(attempts).ok())
                        .map(Some)
                        .ok_or_else(|| bad(name, "must be a whole number from 1 to 20"))?;
                }
                reserved if RESERVED.contains(&reserved) => {
                    return Err(bad(name, "cannot be set here"));
                }
                _ => {
                    parsed.body.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(parsed)
    }
}

/// Fields that OpenAI does not have and servers such as vLLM take; left out where they are off.
fn add_extra_sampling(row: &mut Preset) {
    row.top_k = row.top_k.or(Some(TopK::Absent));
    row.min_p = row.min_p.or(Some(MinP::Absent));
    row.repetition_penalty = row.repetition_penalty.or(Some("repetition_penalty"));
    row.has_min_tokens = true;
}

fn seconds(name: &str, value: &Value) -> Result<Duration, ConfigError> {
    let fits = |seconds: &f64| (0.001..=ATTEMPT_TIMEOUT_SECONDS_MAX).contains(seconds);
    let seconds = value.as_f64().filter(fits);
    let seconds = seconds.ok_or_else(|| bad(name, "must be a number from 0.001 to 86400"))?;
    Ok(Duration::from_secs_f64(seconds))
}

fn flag(name: &str, value: &Value) -> Result<bool, ConfigError> {
    value.as_bool().ok_or_else(|| bad(name, "must be true or false"))
}

fn bad(name: &str, detail: &'static str) -> ConfigError {
    ConfigError::BadOption { name: name.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use hornbook_types::EndpointKind;
    use serde_json::json;

    use super::*;

    fn parse(options: Value) -> Result<Options, ConfigError> {
        let row = preset::row(EndpointKind::Openai, None);
        Options::parse(options.as_object().unwrap(), row)
    }

    #[test]
    fn sorts_ours_from_the_endpoints() {
        let options = parse(json!({
            "extra_sampling": true, "timeout_seconds": 1.5, "attempts": 2, "reasoning_effort": "low"
        }))
        .unwrap();
        assert_eq!(options.row.top_k, Some(TopK::Absent));
        assert_eq!(options.timeout, Some(Duration::from_millis(1_500)));
        assert_eq!(options.attempts, Some(2));
        assert_eq!(Value::from(options.body), json!({"reasoning_effort": "low"}));
    }

    #[test]
    fn refuses_what_would_change_the_question() {
        let faults = [
            json!({"model": "x"}),
            json!({"messages": []}),
            json!({"stream": true}),
            json!({"n": 2}),
            json!({"structured_output": "json_schema"}),
            json!({"batch_poll_seconds": 0}),
            json!({"extra_sampling": 1}),
            json!({"hornbook_engine": "yes"}),
            json!({"timeout_seconds": -1}),
            json!({"timeout_seconds": 1e300}),
            json!({"attempts": 0}),
        ];
        for options in faults {
            assert!(
                matches!(parse(options.clone()), Err(ConfigError::BadOption { .. })),
                "{options}"
            );
        }
    }
}
