//! What to do about an error: the one table of retry classes, and how long to wait.

use std::time::Duration;

use crate::ErrorClass::{self, Endpoint, Permanent, Refused, Throttled, TooLong, Transient};
use crate::http::HttpError;

/// Attempts per prompt, the first included.
pub const ATTEMPTS: u32 = 6;
/// Wait before the second attempt, before jitter; each further wait is twice as long.
pub const BACKOFF_BASE_MILLIS: u64 = 500;
/// Longest wait that back-off alone asks for.
pub const BACKOFF_CAP_SECONDS: u64 = 30;
/// Longest wait that an endpoint can ask for.
pub const RETRY_AFTER_CAP_SECONDS: u64 = 120;

/// By HTTP status: the first row that holds the status decides, unless [`WORDS`] or [`PHRASES`] know better.
const STATUSES: &[(u16, u16, ErrorClass, &str)] = &[
    (300, 399, Endpoint, "redirect"), // never followed; the base URL wants correcting
    (400, 400, Permanent, "http_400"),
    (401, 401, Endpoint, "http_401"),
    (402, 402, Endpoint, "quota"),
    (403, 403, Endpoint, "http_403"),
    (404, 404, Endpoint, "http_404"), // the model or the base URL is wrong, for every prompt alike
    (405, 405, Endpoint, "http_405"),
    (408, 408, Transient, "http_408"),
    (409, 409, Transient, "http_409"),
    (413, 413, TooLong, "http_413"),
    (425, 425, Transient, "http_425"),
    (429, 429, Throttled, "http_429"),
    (400, 499, Permanent, "http_4xx"),
    (500, 500, Transient, "http_500"),
    (502, 502, Transient, "http_502"),
    (503, 503, Throttled, "http_503"),
    (504, 504, Transient, "http_504"),
    (529, 529, Throttled, "http_529"),
    (500, 599, Transient, "http_5xx"),
];

/// By the error's own `code` or `type`, whatever the status.
const WORDS: &[(&str, ErrorClass, &str)] = &[
    ("insufficient_quota", Endpoint, "quota"),
    ("billing_hard_limit_reached", Endpoint, "quota"),
    ("billing_not_active", Endpoint, "quota"),
    ("credit_balance_too_low", Endpoint, "quota"),
    ("invalid_api_key", Endpoint, "http_401"),
    ("model_not_found", Endpoint, "http_404"),
    ("context_length_exceeded", TooLong, "context_length"),
    ("exceed_context_size_error", TooLong, "context_length"),
    ("string_above_max_length", TooLong, "context_length"),
    ("content_policy_violation", Refused, "content_filter"),
    ("content_filter", Refused, "content_filter"),
    ("moderation_blocked", Refused, "content_filter"),
];

/// By what the message says, for servers whose 400 has no code of its own; lower case.
const PHRASES: &[(&str, ErrorClass, &str)] = &[
    ("maximum context length", TooLong, "context_length"),
    ("context size", TooLong, "context_length"),
    ("longer than the model's context", TooLong, "context_length"),
    ("max_total_tokens", TooLong, "context_length"),
    ("exceeded your current quota", Endpoint, "quota"),
];

/// By what happened to the connection.
fn transport_class(error: &HttpError) -> ErrorClass {
    match error {
        HttpError::Dns(_)
        | HttpError::Connect(_)
        | HttpError::Tls(_)
        | HttpError::Timeout(_)
        | HttpError::Interrupted(_) => Transient,
        HttpError::TooLarge { .. } => Permanent,
        HttpError::AddressRefused(_) | HttpError::BadUrl(_) | HttpError::Client(_) => Endpoint,
    }
}

/// By what a 200 held instead of an answer.
pub(crate) mod unusable {
    use super::ErrorClass::{self, Refused, Transient};

    pub(crate) const HTML_PAGE: (ErrorClass, &str) = (Transient, "html_page");
    pub(crate) const BAD_JSON: (ErrorClass, &str) = (Transient, "bad_json");
    pub(crate) const NO_CHOICES: (ErrorClass, &str) = (Transient, "no_choices");
    pub(crate) const ERROR_BODY: (ErrorClass, &str) = (Transient, "error_body");
    pub(crate) const REFUSAL: (ErrorClass, &str) = (Refused, "refusal");
    pub(crate) const CONTENT_FILTER: (ErrorClass, &str) = (Refused, "content_filter");
}

/// True for the classes that are worth another attempt at the same endpoint.
pub fn is_retried(class: ErrorClass) -> bool {
    matches!(class, Transient | Throttled)
}

/// The class and code of a transport error.
pub(crate) fn classify_transport(error: &HttpError) -> (ErrorClass, &'static str) {
    (transport_class(error), error.code())
}

/// The class and code of an error that a server sent; `status` may be one named in the body.
pub(crate) fn classify_status(
    status: u16,
    words: &[&str],
    message: &str,
) -> Option<(ErrorClass, &'static str)> {
    let by_word = WORDS.iter().find(|(word, ..)| words.contains(word));
    if let Some(&(_, class, code)) = by_word {
        return Some((class, code));
    }
    // Phrases are for client errors only: a 500 that quotes the prompt proves nothing.
    if (400..500).contains(&status) {
        let message = message.to_lowercase();
        let by_phrase = PHRASES.iter().find(|(phrase, ..)| message.contains(phrase));
        if let Some(&(_, class, code)) = by_phrase {
            return Some((class, code));
        }
    }
    STATUSES
        .iter()
        .find(|(first, last, ..)| (*first..=*last).contains(&status))
        .map(|&(_, _, class, code)| (class, code))
}

/// How often and how patiently one prompt is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts, the first included; at least 1.
    pub attempts: u32,
    /// Wait before the second attempt, before jitter.
    pub base: Duration,
    /// Longest wait of back-off alone.
    pub cap: Duration,
    /// Longest wait that an endpoint can ask for.
    pub retry_after_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: ATTEMPTS,
            base: Duration::from_millis(BACKOFF_BASE_MILLIS),
            cap: Duration::from_secs(BACKOFF_CAP_SECONDS),
            retry_after_cap: Duration::from_secs(RETRY_AFTER_CAP_SECONDS),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after failed attempt number `attempt` (from 1); `draw` is in 0..1.
    ///
    /// Half of the back-off is fixed and half is drawn, so that prompts which failed together
    /// come back apart. What the endpoint asks for is a floor, up to its own cap.
    pub fn wait(&self, attempt: u32, retry_after: Option<Duration>, draw: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        let backoff = self.base.saturating_mul(1 << doublings).min(self.cap);
        let jittered = backoff.mul_f64(0.5 + 0.5 * draw.clamp(0.0, 1.0));
        match retry_after {
            // The jitter comes on top: nobody asked for everybody in the same instant.
            Some(asked) => asked.min(self.retry_after_cap) + jittered.min(self.base),
            None => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, words: &[&str], message: &str) -> (ErrorClass, &'static str) {
        classify_status(status, words, message).unwrap()
    }

    #[test]
    fn retries_exactly_what_may_pass() {
        for status in [408, 409, 425, 429, 500, 502, 503, 504, 520, 529, 599] {
            assert!(is_retried(class(status, &[], "").0), "{status}");
        }
        for status in [301, 400, 401, 402, 403, 404, 405, 413, 418, 422] {
            assert!(!is_retried(class(status, &[], "").0), "{status}");
        }
        assert_eq!(classify_status(200, &[], ""), None);
    }

    #[test]
    fn words_and_phrases_go_before_the_status() {
        assert_eq!(class(429, &["insufficient_quota"], ""), (Endpoint, "quota"));
        assert_eq!(class(400, &["context_length_exceeded"], ""), (TooLong, "context_length"));
        let vllm = "This model's maximum context length is 4096 tokens. However, you asked";
        assert_eq!(class(400, &["BadRequestError"], vllm), (TooLong, "context_length"));
        assert_eq!(class(500, &[], vllm), (Transient, "http_500"));
        assert_eq!(class(403, &["moderation_blocked"], ""), (Refused, "content_filter"));
    }

    #[test]
    fn waits_grow_jittered_and_capped() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait(1, None, 0.0), Duration::from_millis(250));
        assert_eq!(policy.wait(1, None, 1.0), Duration::from_millis(500));
        assert_eq!(policy.wait(3, None, 1.0), Duration::from_secs(2));
        assert_eq!(policy.wait(u32::MAX, None, 1.0), Duration::from_secs(30));
        assert_eq!(policy.wait(1, Some(Duration::from_secs(7)), 1.0), Duration::from_millis(7_500));
        let endless = policy.wait(6, Some(Duration::MAX), 1.0);
        assert_eq!(endless, Duration::from_millis(120_500));
    }
}
