//! Reading what a server answered, liberally: what is not needed is not looked at.

use hornbook_types::{FinishReason, Usage};
use serde_json::Value;

use crate::limited::BYTES_PER_TOKEN;
use crate::message::{MESSAGE_CHARS, NAME_CHARS, clean, withhold};
use crate::retry::{classify_status, unusable};
use crate::{Completion, CompletionError, ErrorClass, Secret};

/// Token counts above this are no counts.
const TOKENS_MAX: u64 = 1_000_000_000;

/// What the reader of an answer must know of its request.
pub(super) struct Asked<'a> {
    pub(super) model: &'a str,
    pub(super) prompt_bytes: usize,
    pub(super) secret: Option<&'a Secret>,
}

impl Asked<'_> {
    /// The answer in the body of a success.
    pub(super) fn read_answer(&self, body: &[u8]) -> Result<Completion, CompletionError> {
        let Ok(answer) = serde_json::from_slice::<Value>(body) else {
            let row = if is_html(body) { unusable::HTML_PAGE } else { unusable::BAD_JSON };
            return Err(self.error(row, &String::from_utf8_lossy(first_bytes(body))));
        };
        let Some(choice) = answer.get("choices").and_then(|choices| choices.get(0)) else {
            return Err(self.read_error_value(&answer));
        };
        let said = choice
            .pointer("/message/content")
            .and_then(content_text)
            .or_else(|| choice.get("text").and_then(content_text))
            .unwrap_or_default();
        let finish = choice.get("finish_reason").and_then(Value::as_str);
        if said.trim().is_empty() {
            let refusal = choice.pointer("/message/refusal").and_then(Value::as_str);
            if let Some(refusal) = refusal.filter(|refusal| !refusal.is_empty()) {
                return Err(self.error(unusable::REFUSAL, refusal));
            }
            if finish == Some("content_filter") {
                return Err(self.error(unusable::CONTENT_FILTER, "the answer was filtered"));
            }
        }
        let had_nul = said.contains('\0');
        let text = if had_nul { said.replace('\0', "\u{fffd}") } else { said };
        let text = withhold(text, self.secret);
        let (usage, usage_estimated) = self.usage(answer.get("usage"), &text);
        let model = answer.get("model").and_then(Value::as_str).unwrap_or_default();
        let model = clean(model, self.secret, NAME_CHARS);
        Ok(Completion {
            had_nul,
            finish_reason: self.finish_reason(finish, choice.get("stop_reason")),
            usage,
            usage_estimated,
            model: if model.is_empty() { self.model.to_owned() } else { model },
            logprobs: Vec::new(),
            text,
        })
    }

    /// The error in the body of a failure.
    pub(super) fn read_failure(&self, status: u16, body: &[u8]) -> CompletionError {
        let error = serde_json::from_slice::<Value>(body).ok().map(ServerError::find);
        let error = error.unwrap_or_else(|| ServerError {
            words: Vec::new(),
            message: if is_html(body) {
                "an HTML page".to_owned()
            } else {
                String::from_utf8_lossy(first_bytes(body)).into_owned()
            },
        });
        let words: Vec<&str> = error.words.iter().map(String::as_str).collect();
        // Statuses outside the table (1xx, 2xx without a meaning here) are no answer either.
        let row = classify_status(status, &words, &error.message).unwrap_or(unusable::NO_CHOICES);
        self.error(row, &format!("status {status}: {}", error.message))
    }

    /// A success that holds no choice: an error in disguise, or nothing at all.
    fn read_error_value(&self, answer: &Value) -> CompletionError {
        if answer.get("error").is_none_or(Value::is_null) {
            return self.error(unusable::NO_CHOICES, "the answer has no choices");
        }
        let error = ServerError::find(answer.clone());
        let words: Vec<&str> = error.words.iter().map(String::as_str).collect();
        // Routers put the upstream's status where OpenAI puts a word.
        let status = error.words.iter().find_map(|word| word.parse().ok()).unwrap_or(0);
        let row = classify_status(status, &words, &error.message).unwrap_or(unusable::ERROR_BODY);
        self.error(row, &error.message)
    }

    fn error(&self, (class, code): (ErrorClass, &'static str), message: &str) -> CompletionError {
        let message = clean(message, self.secret, MESSAGE_CHARS);
        CompletionError { class, code, message, retry_after: None }
    }

    /// A `hornbook engine` keeps to OpenAI's words and says beside `length` that an answer
    /// repeated itself; other servers name the stop string there, beside `stop`.
    fn finish_reason(&self, word: Option<&str>, beside: Option<&Value>) -> FinishReason {
        match word {
            Some("length") if beside.and_then(Value::as_str) == Some("loop") => FinishReason::Loop,
            Some("stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence") => FinishReason::Stop,
            Some("length" | "max_tokens" | "max_length" | "model_length") => FinishReason::Length,
            // `none` means "no answer was had", which is not the server's to say.
            None | Some("" | "none") => FinishReason::Other("missing".to_owned()),
            Some(other) => match clean(other, self.secret, NAME_CHARS) {
                word if word.is_empty() => FinishReason::Other("missing".to_owned()),
                word => FinishReason::Other(word),
            },
        }
    }

    fn usage(&self, usage: Option<&Value>, text: &str) -> (Usage, bool) {
        let count = |pointer: &str| {
            let number = usage.and_then(|usage| usage.pointer(pointer))?;
            number.as_u64().filter(|tokens| *tokens <= TOKENS_MAX)
        };
        let estimate = |bytes: usize| (bytes as u64).div_ceil(BYTES_PER_TOKEN);
        let (prompt, completion) = (count("/prompt_tokens"), count("/completion_tokens"));
        let usage = Usage {
            prompt_tokens: prompt.unwrap_or_else(|| estimate(self.prompt_bytes)),
            completion_tokens: completion.unwrap_or_else(|| estimate(text.len())),
            cached_tokens: count("/prompt_tokens_details/cached_tokens").unwrap_or(0),
        };
        (usage, prompt.is_none() || completion.is_none())
    }
}

/// Text as a string, or as the parts that some servers cut it into.
fn content_text(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| match part {
                Value::String(text) => Some(text.as_str()),
                part => part.get("text").and_then(Value::as_str),
            });
            Some(texts.collect())
        }
        _ => None,
    }
}

/// What servers of many makes put into an error.
struct ServerError {
    words: Vec<String>,
    message: String,
}

impl ServerError {
    /// Finds words and message in `{error: {..}}`, `{error: ".."}`, `{message}` or `{detail}`.
    fn find(body: Value) -> Self {
        // Gemini puts its errors into a list.
        let body = match body {
            Value::Array(mut list) if !list.is_empty() => list.swap_remove(0),
            body => body,
        };
        let error = match body.get("error") {
            None | Some(Value::Null) => &body,
            Some(error) => error,
        };
        let words = ["code", "type", "error_type", "status"]
            .iter()
            .filter_map(|name| match error.get(name)? {
                Value::String(word) => Some(word.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        let message =
            ["message", "detail"].iter().find_map(|name| error.get(name)).unwrap_or(error);
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        Self { words, message }
    }
}

fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// Enough of a body for any message.
fn first_bytes(body: &[u8]) -> &[u8] {
    &body[..body.len().min(MESSAGE_CHARS * 4)]
}
