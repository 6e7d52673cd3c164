//! The free-form options of an endpoint, and what can be wrong with a configuration.

use std::time::Duration;

use serde_json::{Map, Value};

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
#[derive(Debug, Default, PartialEq)]
pub(super) struct Options {
    pub(super) extra_sampling: bool,
    pub(super) hornbook_engine: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) attempts: Option<u32>,
    /// Merged into each body; `null` takes a field away.
    pub(super) body: Map<String, Value>,
}

impl Options {
    pub(super) fn parse(options: &Map<String, Value>) -> Result<Self, ConfigError> {
        if options.len() > OPTION_FIELDS {
            return Err(bad("*", "too many options; at most 64"));
        }
        let mut parsed = Self::default();
        for (name, value) in options {
            match name.as_str() {
                "extra_sampling" => parsed.extra_sampling = flag(name, value)?,
                "hornbook_engine" => parsed.hornbook_engine = flag(name, value)?,
                "timeout_seconds" => {
                    let seconds = value
                        .as_f64()
                        .filter(|seconds| (0.001..=ATTEMPT_TIMEOUT_SECONDS_MAX).contains(seconds))
                        .ok_or_else(|| bad(name, "must be a number from 0.001 to 86400"))?;
                    parsed.timeout = Some(Duration::from_secs_f64(seconds));
                }
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

fn flag(name: &str, value: &Value) -> Result<bool, ConfigError> {
    value.as_bool().ok_or_else(|| bad(name, "must be true or false"))
}

fn bad(name: &str, detail: &'static str) -> ConfigError {
    ConfigError::BadOption { name: name.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(options: Value) -> Result<Options, ConfigError> {
        Options::parse(options.as_object().unwrap())
    }

    #[test]
    fn sorts_ours_from_the_endpoints() {
        let options = parse(json!({
            "extra_sampling": true, "timeout_seconds": 1.5, "attempts": 2, "reasoning_effort": "low"
        }))
        .unwrap();
        assert!(options.extra_sampling);
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
