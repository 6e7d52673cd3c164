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
/// Longest that an endpoint can ask to be left alone.
pub const RETRY_AFTER_CAP_SECONDS: u64 = 3_600;
/// Longest such wait for which a prompt is held; before a longer one it is put back.
pub const RETRY_AFTER_HELD_SECONDS: u64 = 120;

/// By HTTP status: the first row that holds the status decides, unless [`WORDS`] or [`PHRASES`] know better.
const STATUSES: &[(u16, u16, ErrorClass, &str)] = &[
    (300, 399, Endpoint, "redirect"), // never followed; the base URL wants correcting
    (400, 400, Permanent, "http_400"),
    (401, 401, Endpoint, "http_401"),
    (402, 402, Endpoint, "quota"),
    (403, 403, Endpoint, "http_403"), // where it is an API that says so, and no mere page
    (404, 404, Endpoint, "http_404"), // the model or the base URL is wrong, for every prompt alike
    (405, 405, Endpoint, "http_405"),
    (408, 408, Transient, "http_408"),
    (409, 409, Transient, "http_409"),
    (413, 413, TooLong, "http_413"),
    (425, 425, Transient, "http_425"),
    (429, 429, Throttled, "http_429"),
    (424, 424, Transient, "http_424"), // TGI: the request failed during generation
    (498, 498, Throttled, "http_498"), // Groq: flex tier capacity exceeded
    (499, 499, Transient, "http_499"), // a gateway gave up before its upstream answered
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
    ("exceeded_current_quota_error", Endpoint, "quota"),
    ("billing_error", Endpoint, "quota"),
    ("enforced_spend_limit_reached", Endpoint, "quota"), // stands beside `rate_limit_error`
    ("account_deactivated", Endpoint, "http_401"),
    ("invalid_api_key", Endpoint, "http_401"),
    ("model_not_found", Endpoint, "http_404"),
    ("context_length_exceeded", TooLong, "context_length"),
    ("exceed_context_size_error", TooLong, "context_length"),
    ("string_above_max_length", TooLong, "context_length"),
    ("token_limit_exceeded", Throttled, "batch_queue_full"), // of a batch's tokens that wait
    ("content_policy_violation", Refused, "content_filter"),
    ("content_filter", Refused, "content_filter"),
    ("moderation_blocked", Refused, "content_filter"),
    ("invalid_prompt", Refused, "content_filter"), // OpenAI: the prompt breaks its usage policy
    ("overloaded", Throttled, "http_429"),         // TGI's `error_type`
    // Gemini says "exceeded your current quota" of every limit, by the minute or not.
    ("RESOURCE_EXHAUSTED", Throttled, "http_429"),
];

/// By the error's `type` where there is no status to go by: an error inside a 200.
const KINDS: &[(&str, ErrorClass, &str)] = &[
    ("overloaded_error", Throttled, "http_529"),
    ("rate_limit_error", Throttled, "http_429"),
    ("rate_limit_exceeded", Throttled, "http_429"),
    ("authentication_error", Endpoint, "http_401"),
    ("permission_error", Endpoint, "http_403"),
    ("not_found_error", Endpoint, "http_404"),
    ("request_too_large", TooLong, "http_413"),
    ("invalid_request_error", Permanent, "http_400"),
    ("validation", Permanent, "http_4xx"),
];

/// Where in a message a phrase must lie: further on, servers quote the prompt.
const PHRASE_BYTES: usize = 300;

/// By what the message says, for servers whose 400 has no code of its own; lower case.
const PHRASES: &[(&str, ErrorClass, &str)] = &[
    ("maximum context length", TooLong, "context_length"), // OpenAI, vLLM, SGLang
    ("longer than the maximum model length", TooLong, "context_length"), // vLLM
    ("longer than the model's context", TooLong, "context_length"), // SGLang
    ("context size", TooLong, "context_length"),           // llama.cpp
    ("max_total_tokens", TooLong, "context_length"),
    ("`inputs` tokens + `max_new_tokens` must be", TooLong, "context_length"), // TGI
    ("`inputs` must have less than", TooLong, "context_length"),               // TGI
    ("prompt is too long", TooLong, "context_length"),                         // Anthropic
    ("exceed context limit", TooLong, "context_length"),                       // Anthropic
    // OpenAI's 429 for one request beyond a whole minute's tokens: no wait will do.
    ("request too large for", TooLong, "context_length"),
    ("exceeded your current quota", Endpoint, "quota"),
    ("credit balance is too low", Endpoint, "quota"), // Anthropic
    ("reached your specified api usage limits", Endpoint, "quota"), // Anthropic
    ("exceeded your monthly included credits", Endpoint, "quota"), // Hugging Face
    ("blocked by content filtering policy", Refused, "content_filter"), // Anthropic
    ("input was flagged", Refused, "content_filter"), // OpenRouter
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

/// By what a body held instead of an answer or an error.
pub(crate) mod unusable {
    use super::ErrorClass::{self, Permanent, Refused, Transient};

    /// A firewall that minds one prompt, or everybody: the ones after it will tell.
    pub(crate) const FORBIDDEN_PAGE: (ErrorClass, &str) = (Permanent, "http_403");
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

/// True for the codes of endpoints that take no more at the moment.
pub fn is_put_off(code: &str) -> bool {
    let statuses = STATUSES.iter().map(|&(_, _, class, code)| (class, code));
    let words = WORDS.iter().chain(KINDS).map(|&(_, class, code)| (class, code));
    statuses.chain(words).any(|row| row == (Throttled, code))
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
    // Phrases are for client errors only: a 500 that quotes the prompt proves nothing. Neither
    // does a list of faults, each with the value that is at fault.
    if (400..500).contains(&status) && !message.starts_with(['[', '{']) {
        let message = message.to_lowercase();
        let head = &message[..message.floor_char_boundary(PHRASE_BYTES)];
        let by_phrase = PHRASES.iter().find(|(phrase, ..)| head.contains(phrase));
        if let Some(&(_, class, code)) = by_phrase {
            return Some((class, code));
        }
    }
    let by_status = STATUSES.iter().find(|(first, last, ..)| (*first..=*last).contains(&status));
    if let Some(&(_, _, class, code)) = by_status {
        return Some((class, code));
    }
    let by_kind = KINDS.iter().find(|(kind, ..)| words.contains(kind));
    by_kind.map(|&(_, class, code)| (class, code))
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
    /// Longest wait that an endpoint can ask for with a prompt in hand.
    pub retry_after_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: ATTEMPTS,
            base: Duration::from_millis(BACKOFF_BASE_MILLIS),
            cap: Duration::from_secs(BACKOFF_CAP_SECONDS),
            retry_after_cap: Duration::from_secs(RETRY_AFTER_HELD_SECONDS),
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
    fn being_put_off_is_told_from_failing() {
        for code in ["http_429", "http_503", "http_529", "batch_queue_full"] {
            assert!(is_put_off(code), "{code}");
        }
        for code in ["http_500", "connect", "timeout", "quota", "html_page"] {
            assert!(!is_put_off(code), "{code}");
        }
    }

    #[test]
    fn retries_exactly_what_may_pass() {
        for status in [408, 409, 424, 425, 429, 498, 499, 500, 502, 503, 504, 520, 529, 599] {
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
        let spent = ["rate_limit_error", "enforced_spend_limit_reached"];
        assert_eq!(class(429, &spent, ""), (Endpoint, "quota"));
    }

    #[test]
    fn knows_the_words_of_each_make() {
        for (status, words, message, expected) in [
            // OpenAI
            (
                429,
                ["rate_limit_exceeded", "requests"],
                "Rate limit reached for m",
                (Throttled, "http_429"),
            ),
            (
                429,
                ["rate_limit_exceeded", "tokens"],
                "Request too large for m in organization o on tokens per min (TPM): Limit 10000, Requested 20000.",
                (TooLong, "context_length"),
            ),
            (
                429,
                ["insufficient_quota", ""],
                "You exceeded your current quota",
                (Endpoint, "quota"),
            ),
            (
                400,
                ["invalid_prompt", ""],
                "Invalid prompt: limited access",
                (Refused, "content_filter"),
            ),
            (
                503,
                ["server_error", ""],
                "The engine is currently overloaded",
                (Throttled, "http_503"),
            ),
            // Anthropic
            (529, ["overloaded_error", ""], "Overloaded", (Throttled, "http_529")),
            (429, ["rate_limit_error", ""], "This request would exceed", (Throttled, "http_429")),
            (
                400,
                ["invalid_request_error", ""],
                "prompt is too long: 210000 tokens > 200000 maximum",
                (TooLong, "context_length"),
            ),
            (
                400,
                ["invalid_request_error", ""],
                "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
                (TooLong, "context_length"),
            ),
            (
                400,
                ["invalid_request_error", ""],
                "Your credit balance is too low to access the API",
                (Endpoint, "quota"),
            ),
            (
                400,
                ["invalid_request_error", ""],
                "Output blocked by content filtering policy",
                (Refused, "content_filter"),
            ),
            (
                413,
                ["request_too_large", ""],
                "Request exceeds the maximum size",
                (TooLong, "http_413"),
            ),
            (402, ["billing_error", ""], "", (Endpoint, "quota")),
            // vLLM and SGLang
            (
                400,
                ["BadRequestError", "400"],
                "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
                (TooLong, "context_length"),
            ),
            (
                400,
                ["BadRequestError", ""],
                "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
                (TooLong, "context_length"),
            ),
            (
                400,
                ["BadRequestError", ""],
                "Requested token count exceeds the model's maximum context length of 4096 tokens.",
                (TooLong, "context_length"),
            ),
            (
                404,
                ["NotFoundError", "404"],
                "The model `m` does not exist.",
                (Endpoint, "http_404"),
            ),
            // TGI
            (
                422,
                ["validation", ""],
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
                (TooLong, "context_length"),
            ),
            (
                422,
                ["validation", ""],
                "Input validation error: `temperature` must be strictly positive",
                (Permanent, "http_4xx"),
            ),
            (429, ["overloaded", ""], "Model is overloaded", (Throttled, "http_429")),
            (424, ["generation", ""], "Request failed during generation", (Transient, "http_424")),
            // llama.cpp
            (
                400,
                ["exceed_context_size_error", "400"],
                "the request exceeds the available context size, try increasing it",
                (TooLong, "context_length"),
            ),
            (503, ["unavailable_error", "503"], "Loading model", (Throttled, "http_503")),
            // Ollama
            (
                503,
                ["api_error", ""],
                "server busy, please try again. maximum pending requests exceeded",
                (Throttled, "http_503"),
            ),
            (
                404,
                ["not_found_error", ""],
                "model \"m\" not found, try pulling it first",
                (Endpoint, "http_404"),
            ),
            // Gemini, OpenRouter, Hugging Face
            (
                429,
                ["RESOURCE_EXHAUSTED", "429"],
                "You exceeded your current quota",
                (Throttled, "http_429"),
            ),
            (
                403,
                ["403", ""],
                "m requires moderation. Your input was flagged for \"x\"",
                (Refused, "content_filter"),
            ),
            (402, ["", ""], "You have exceeded your monthly included credits", (Endpoint, "quota")),
            // Inside a 200
            (0, ["overloaded_error", ""], "Overloaded", (Throttled, "http_529")),
            (0, ["authentication_error", ""], "invalid x-api-key", (Endpoint, "http_401")),
        ] {
            assert_eq!(class(status, &words, message), expected, "{status} {words:?} {message}");
        }
    }

    #[test]
    fn what_a_server_quotes_pauses_nothing() {
        let quoted = "[{\"input\": \"your credit balance is too low\", \"loc\": [\"body\"]}]";
        assert_eq!(class(422, &[], quoted), (Permanent, "http_4xx"));
        let late = format!("bad request: {} your credit balance is too low", "\u{e9}".repeat(200));
        assert_eq!(class(400, &[], &late), (Permanent, "http_400"));
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
