//! Reading what a server answered, liberally: what is not needed is not looked at.

use hornbook_types::{FinishReason, Usage};
use serde_json::Value;

use super::sparse;
use crate::limited::BYTES_PER_TOKEN;
use crate::message::{MESSAGE_CHARS, NAME_CHARS, clean, withhold};
use crate::preset::Preset;
use crate::retry::{classify_status, unusable};
use crate::{Completion, CompletionError, ErrorClass, Secret};

/// Token counts above this are no counts.
const TOKENS_MAX: u64 = 1_000_000_000;

/// What the reader of an answer must know of its request.
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a str,
    pub(crate) prompt_bytes: usize,
    pub(crate) secret: Option<&'a Secret>,
    /// What is known of the server's make.
    pub(crate) row: &'a Preset,
}

impl Asked<'_> {
    /// The answer in the body of a success.
    pub(crate) fn read_answer(&self, body: &[u8]) -> Result<Completion, CompletionError> {
        self.read_value(&self.read_sparse(body)?)
    }

    /// Of the body of a success, what is an answer or an error.
    pub(crate) fn read_sparse(&self, body: &[u8]) -> Result<Value, CompletionError> {
        sparse::read(body, &sparse::ANSWER).map_err(|_| {
            let told = serde_json::json!({"usage": sparse::usage_in(body)});
            self.bad_json(body).paid(self.told_usage(&told))
        })
    }

    /// The body of a success as JSON.
    pub(crate) fn read_json(&self, body: &[u8]) -> Result<Value, CompletionError> {
        serde_json::from_slice(body).map_err(|_| self.bad_json(body))
    }

    fn bad_json(&self, body: &[u8]) -> CompletionError {
        let row = if is_html(body) { unusable::HTML_PAGE } else { unusable::BAD_JSON };
        self.error(row, &String::from_utf8_lossy(first_bytes(body)))
    }

    /// The answer in a success that was JSON.
    pub(crate) fn read_value(&self, answer: &Value) -> Result<Completion, CompletionError> {
        let Some(choice) = answer.get("choices").and_then(|choices| choices.get(0)) else {
            return Err(self.read_error_value(answer).paid(self.told_usage(answer)));
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
                let error = self.error(unusable::REFUSAL, refusal);
                return Err(error.paid(self.usage_of(answer, refusal).0));
            }
            if finish == Some("content_filter") {
                let error = self.error(unusable::CONTENT_FILTER, "the answer was filtered");
                return Err(error.paid(self.usage_of(answer, "").0));
            }
        }
        let finish_reason = self.finish_reason(finish, choice.get("stop_reason"));
        Ok(self.completion(answer, said, finish_reason, |text| self.usage_of(answer, text)))
    }

    /// What an answer of that text cost; true where some of it is estimated.
    fn usage_of(&self, answer: &Value, text: &str) -> (Usage, bool) {
        let count = |pointer: &str| self.count(answer, pointer);
        let (prompt, completion) =
            (count("/usage/prompt_tokens"), count("/usage/completion_tokens"));
        self.usage(prompt, completion, self.cached(answer), text)
    }

    /// What something that is no answer cost: as much as it says itself.
    fn told_usage(&self, answer: &Value) -> Usage {
        let is_told = ["/usage/prompt_tokens", "/usage/completion_tokens"]
            .iter()
            .any(|pointer| self.count(answer, pointer).is_some_and(|tokens| tokens > 0));
        if is_told { self.usage_of(answer, "").0 } else { Usage::default() }
    }

    /// A whole answer, with what no document may hold taken out of its text.
    pub(crate) fn completion(
        &self,
        answer: &Value,
        said: String,
        finish_reason: FinishReason,
        usage: impl FnOnce(&str) -> (Usage, bool),
    ) -> Completion {
        let had_nul = said.contains('\0');
        let text = if had_nul { said.replace('\0', "\u{fffd}") } else { said };
        let text = withhold(text, self.secret);
        let (usage, usage_estimated) = usage(&text);
        let model = answer.get("model").and_then(Value::as_str).unwrap_or_default();
        let model = clean(model, self.secret, NAME_CHARS);
        Completion {
            had_nul,
            finish_reason,
            usage,
            usage_estimated,
            model: if model.is_empty() { self.model.to_owned() } else { model },
            logprobs: Vec::new(),
            wasted: Usage::default(),
            text,
        }
    }

    /// The error in the body of a failure.
    pub(crate) fn read_failure(&self, status: u16, body: &[u8]) -> CompletionError {
        let error = sparse::read(body, &sparse::ANSWER).ok().map(ServerError::find);
        let is_page = error.is_none();
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
        let row = match row {
            (ErrorClass::Endpoint, "http_403") if is_page => unusable::FORBIDDEN_PAGE,
            row => row,
        };
        self.error(row, &format!("status {status}: {}", error.message))
    }

    /// A success that holds no choice: an error in disguise, or nothing at all.
    pub(crate) fn read_error_value(&self, answer: &Value) -> CompletionError {
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

    /// An error of that class and code; the message is made fit for people.
    pub(crate) fn error(
        &self,
        (class, code): (ErrorClass, &'static str),
        message: &str,
    ) -> CompletionError {
        let message = clean(message, self.secret, MESSAGE_CHARS);
        CompletionError::new(class, code, message)
    }

    /// A `hornbook engine` keeps to OpenAI's words and says beside `length` that an answer
    /// repeated itself; other servers name the stop string there, beside `stop`.
    fn finish_reason(&self, word: Option<&str>, beside: Option<&Value>) -> FinishReason {
        match word {
            Some("length") if beside.and_then(Value::as_str) == Some("loop") => FinishReason::Loop,
            Some("stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence") => FinishReason::Stop,
            Some("length" | "max_tokens" | "max_length" | "model_length") => FinishReason::Length,
            other => self.other_finish(other),
        }
    }

    /// A word that nobody here knows is kept; `none` means "no answer was had", which is not the
    /// server's to say.
    pub(crate) fn other_finish(&self, word: Option<&str>) -> FinishReason {
        let word = match word {
            None | Some("none") => String::new(),
            Some(word) => clean(word, self.secret, NAME_CHARS),
        };
        FinishReason::Other(if word.is_empty() { "missing".to_owned() } else { word })
    }

    /// A count of tokens, where there is one that can be believed.
    pub(crate) fn count(&self, answer: &Value, pointer: &str) -> Option<u64> {
        answer.pointer(pointer)?.as_u64().filter(|tokens| *tokens <= TOKENS_MAX)
    }

    /// Tokens of the prompt that the server found computed.
    pub(crate) fn cached(&self, answer: &Value) -> u64 {
        let mut paths = self.row.cached_tokens.iter();
        paths.find_map(|path| self.count(answer, path)).unwrap_or(0)
    }

    /// The counts, with estimates in the place of those that are missing; true when one is.
    pub(crate) fn usage(
        &self,
        prompt: Option<u64>,
        completion: Option<u64>,
        cached_tokens: u64,
        text: &str,
    ) -> (Usage, bool) {
        let estimate = |bytes: usize| (bytes as u64).div_ceil(BYTES_PER_TOKEN);
        let usage = Usage {
            prompt_tokens: prompt.unwrap_or_else(|| estimate(self.prompt_bytes)),
            completion_tokens: completion.unwrap_or_else(|| estimate(text.len())),
            cached_tokens,
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
        let words = ["/code", "/type", "/error_type", "/status", "/details/error_code"]
            .iter()
            .filter_map(|name| match error.pointer(name)? {
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
