//! Answers in OpenAI's shapes: a whole object, or the chunks of a stream.

use hornbook_inference::{Completion, Piece};
use hornbook_types::{FinishReason, Usage};
use serde_json::{Value, json};

use super::EngineState;
use super::asked::Asked;
use super::logprobs;

/// Which of the two protocols' shapes an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Text,
}

/// Writes the answers of one request.
pub(super) struct Writer {
    shape: Shape,
    id: String,
    created_unix_s: i64,
    model: String,
    fingerprint: Option<String>,
    wants_logprobs: bool,
    include_usage: bool,
    /// Answers to each prompt.
    n: usize,
}

impl Writer {
    /// A writer for a request that begins now.
    pub(super) fn new(state: &EngineState, shape: Shape, asked: &Asked) -> Self {
        let prefix = match shape {
            Shape::Chat => "chatcmpl-",
            Shape::Text => "cmpl-",
        };
        Self {
            shape,
            id: state.new_id(prefix),
            created_unix_s: state.clock.now().unix_timestamp(),
            model: state.backend.model().to_owned(),
            fingerprint: state.fingerprint.clone(),
            wants_logprobs: asked.wants_logprobs(),
            include_usage: asked.drawing.include_usage,
            n: asked.n(),
        }
    }

    /// A tally for this request's answers.
    pub(super) fn tally(&self) -> Tally {
        Tally::new(self.n)
    }

    /// All answers as one object.
    pub(super) fn whole(&self, answers: &[Completion], tally: &Tally) -> Value {
        let choices = answers.iter().enumerate().map(|(index, completion)| {
            let mut choice = match self.shape {
                Shape::Chat => json!({"index": index, "message": {
                    "role": "assistant", "content": completion.text, "refusal": null
                }}),
                Shape::Text => json!({"index": index, "text": completion.text}),
            };
            choice["logprobs"] = match (self.wants_logprobs, self.shape) {
                (false, _) => Value::Null,
                (true, Shape::Chat) => logprobs::chat(&completion.logprobs),
                (true, Shape::Text) => logprobs::text(&completion.logprobs, &mut 0),
            };
            put_end(&mut choice, &completion.finish_reason);
            choice
        });
        let object = match self.shape {
            Shape::Chat => "chat.completion",
            Shape::Text => "text_completion",
        };
        let mut whole = self.object(object, choices.collect());
        whole["usage"] = tally.value();
        whole
    }

    /// What a stream says of each answer before it begins, if anything.
    pub(super) fn head(&self, index: usize) -> Option<Value> {
        let delta = json!({"role": "assistant", "content": "", "refusal": null});
        (self.shape == Shape::Chat).then(|| {
            self.chunk(json!({
                "index": index, "delta": delta, "logprobs": null, "finish_reason": null
            }))
        })
    }

    /// A part of an answer; `chars` is what was written of it before, and after.
    pub(super) fn piece(&self, index: usize, piece: &Piece, chars: &mut usize) -> Option<Value> {
        if piece.text.is_empty() && (!self.wants_logprobs || piece.logprobs.is_empty()) {
            return None;
        }
        let mut choice = match self.shape {
            Shape::Chat => json!({"index": index, "delta": {"content": piece.text}}),
            Shape::Text => json!({"index": index, "text": piece.text}),
        };
        choice["logprobs"] = match (self.wants_logprobs, self.shape) {
            (false, _) => Value::Null,
            (true, Shape::Chat) => logprobs::chat(&piece.logprobs),
            (true, Shape::Text) => logprobs::text(&piece.logprobs, chars),
        };
        choice["finish_reason"] = Value::Null;
        Some(self.chunk(choice))
    }

    /// Why an answer ended.
    pub(super) fn end(&self, index: usize, reason: &FinishReason) -> Value {
        let mut choice = match self.shape {
            Shape::Chat => json!({"index": index, "delta": {}, "logprobs": null}),
            Shape::Text => json!({"index": index, "text": "", "logprobs": null}),
        };
        put_end(&mut choice, reason);
        self.chunk(choice)
    }

    /// The usage of all answers, when the client wants it.
    pub(super) fn usage(&self, tally: &Tally) -> Option<Value> {
        self.include_usage.then(|| {
            let mut chunk = self.object(self.chunk_name(), Vec::new());
            chunk["usage"] = tally.value();
            chunk
        })
    }

    fn chunk(&self, choice: Value) -> Value {
        let mut chunk = self.object(self.chunk_name(), vec![choice]);
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn chunk_name(&self) -> &'static str {
        match self.shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Text => "text_completion",
        }
    }

    fn object(&self, object: &str, choices: Vec<Value>) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created_unix_s,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        })
    }
}

/// Puts in why an answer ended.
///
/// Typed clients know OpenAI's words only, so an answer that was ended because it repeated itself
/// says `length`, the word for one that is not whole, and `stop_reason` says the rest.
fn put_end(choice: &mut Value, reason: &FinishReason) {
    choice["finish_reason"] = match reason {
        FinishReason::Length | FinishReason::Loop => "length",
        FinishReason::Other(word) if word == "content_filter" => "content_filter",
        FinishReason::Stop | FinishReason::None | FinishReason::Other(_) => "stop",
    }
    .into();
    if *reason == FinishReason::Loop {
        choice["stop_reason"] = reason.as_str().into();
    }
}

/// Tokens of all answers of one request.
pub(super) struct Tally {
    n: usize,
    /// Of each prompt: its tokens, and how many of them every answer found computed.
    prompts: Vec<Option<Usage>>,
    completion_tokens: u64,
}

impl Tally {
    /// A tally where each prompt has `n` answers.
    pub(super) fn new(n: usize) -> Self {
        Self { n: n.max(1), prompts: Vec::new(), completion_tokens: 0 }
    }

    /// Adds an answer. A prompt counts once, however many answers it has.
    pub(super) fn add(&mut self, index: usize, usage: Usage) {
        self.completion_tokens = self.completion_tokens.saturating_add(usage.completion_tokens);
        let prompt = index / self.n;
        if self.prompts.len() <= prompt {
            self.prompts.resize(prompt + 1, None);
        }
        let seen = &mut self.prompts[prompt];
        let cached = seen.map_or(u64::MAX, |seen| seen.cached_tokens).min(usage.cached_tokens);
        *seen = Some(Usage { cached_tokens: cached, ..usage });
    }

    fn value(&self) -> Value {
        let prompts = || self.prompts.iter().flatten();
        let prompt_tokens: u64 = prompts().map(|usage| usage.prompt_tokens).sum();
        let cached_tokens: u64 = prompts().map(|usage| usage.cached_tokens).sum();
        json!({
            "prompt_tokens": prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": prompt_tokens.saturating_add(self.completion_tokens),
            "prompt_tokens_details": {"cached_tokens": cached_tokens},
        })
    }
}
