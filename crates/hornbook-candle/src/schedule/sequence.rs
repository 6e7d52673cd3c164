//! One prompt under way: what was fed to the model, and the answer so far.

use hornbook_inference::{Completion, DrawnLogprob, TokenLogprob};
use hornbook_types::{FinishReason, Usage, limits::ANSWER_BYTES};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::model::Row;
use crate::sample::{Logprobs, NoToken, Progress, Sampler, Watch};
use crate::text::TextTokenizer;

use super::Answer;

/// A prompt that holds a slot.
pub(super) struct Sequence {
    slot: usize,
    prompt: Vec<u32>,
    /// Tokens of this sequence whose keys and values are in the cache.
    cached: usize,
    /// The token drawn last, not fed yet.
    last: Option<u32>,
    /// Tokens drawn, the end mark left out.
    drawn: usize,
    text: Vec<u8>,
    /// One per drawn token where they were asked for.
    logprobs: Vec<DrawnLogprob>,
    max_tokens: usize,
    sampler: Sampler,
    watch: Watch,
    cancel: CancellationToken,
    reply: oneshot::Sender<Answer>,
    /// True when the pass under way computes logits for this sequence.
    awaits_logits: bool,
    finished: Option<Result<FinishReason, NoToken>>,
}

/// What a sequence is made from.
pub(super) struct Start {
    pub(super) slot: usize,
    pub(super) prompt: Vec<u32>,
    pub(super) max_tokens: usize,
    pub(super) sampler: Sampler,
    pub(super) watch: Watch,
    pub(super) cancel: CancellationToken,
    pub(super) reply: oneshot::Sender<Answer>,
}

impl Sequence {
    pub(super) fn new(start: Start) -> Self {
        let Start { slot, prompt, max_tokens, sampler, watch, cancel, reply } = start;
        Self {
            slot,
            prompt,
            cached: 0,
            last: None,
            drawn: 0,
            text: Vec::new(),
            logprobs: Vec::new(),
            max_tokens,
            sampler,
            watch,
            cancel,
            reply,
            awaits_logits: false,
            finished: None,
        }
    }

    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    /// True when nobody waits for the answer any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.cancel.is_cancelled() || self.reply.is_closed()
    }

    pub(super) fn awaits_logits(&self) -> bool {
        self.awaits_logits
    }

    pub(super) fn has_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Adds this sequence's rows to a pass: its one new token, or as much of its prompt as
    /// `prompt_rows` still allows. The row whose logits it needs goes into `wanted`.
    pub(super) fn add_rows(
        &mut self,
        prompt_rows: &mut usize,
        rows: &mut Vec<Row>,
        wanted: &mut Vec<usize>,
    ) {
        let slot = self.slot;
        if let Some(token) = self.last {
            rows.push(Row { sequence: slot, position: self.cached, token });
            self.cached += 1;
            self.awaits_logits = true;
        } else {
            let end = self.prompt.len().min(self.cached + *prompt_rows);
            *prompt_rows -= end - self.cached;
            let chunk = self.prompt[self.cached..end].iter().zip(self.cached..);
            let row =
                |(token, position): (&u32, usize)| Row { sequence: slot, position, token: *token };
            rows.extend(chunk.map(row));
            self.cached = end;
            self.awaits_logits = end == self.prompt.len();
        }
        if self.awaits_logits {
            wanted.push(rows.len() - 1);
        }
    }

    /// Draws the next token from this sequence's logits and sees whether the answer ends there.
    pub(super) fn take_logits(
        &mut self,
        logits: &mut [f32],
        tokenizer: &TextTokenizer,
        context_tokens: usize,
    ) {
        let drawn = match self.sampler.draw(logits) {
            Ok(drawn) => drawn,
            Err(NoToken) => {
                self.finished = Some(Err(NoToken));
                return;
            }
        };
        let token = drawn.token;
        if tokenizer.is_end(token) {
            self.finished = Some(Ok(FinishReason::Stop));
            return;
        }
        self.last = Some(token);
        self.drawn += 1;
        let bytes = tokenizer.bytes(token);
        let progress = self.watch.push(token, bytes);
        match progress {
            Progress::Stopped { kept_bytes, withdrawn_bytes } => {
                self.text.truncate(self.text.len() - withdrawn_bytes);
                self.text.extend_from_slice(&bytes[..kept_bytes]);
            }
            Progress::Goes { .. } | Progress::Looped => self.text.extend_from_slice(bytes),
        }
        self.logprobs.extend(drawn.logprobs.map(|logprobs| told(token, &logprobs, tokenizer)));
        let is_full = self.prompt.len() + self.drawn >= context_tokens;
        let is_full = is_full || self.drawn >= self.max_tokens || self.text.len() >= ANSWER_BYTES;
        let reason = progress.finish_reason().or(is_full.then_some(FinishReason::Length));
        self.finished = reason.map(Ok);
    }

    /// Sends what came of the sequence; a caller who is gone is no error.
    pub(super) fn answer(self, model: &str) {
        let answer = match self.finished {
            Some(Ok(finish_reason)) => {
                let (text, had_nul) = readable(self.text);
                Ok(Completion {
                    text,
                    had_nul,
                    finish_reason,
                    usage: Usage {
                        prompt_tokens: self.prompt.len() as u64,
                        completion_tokens: self.drawn as u64,
                        cached_tokens: 0,
                    },
                    usage_estimated: false,
                    model: model.to_owned(),
                    logprobs: self.logprobs,
                })
            }
            Some(Err(NoToken)) => Err(super::answer::no_token()),
            None => Err(super::answer::cancelled()),
        };
        let _ = self.reply.send(answer);
    }

    /// Ends the sequence with an error.
    pub(super) fn fail(self, error: hornbook_inference::CompletionError) {
        let _ = self.reply.send(Err(error));
    }
}

/// Log-probabilities with the tokens' bytes, as callers get them.
fn told(token: u32, logprobs: &Logprobs, tokenizer: &TextTokenizer) -> DrawnLogprob {
    let of = |token, logprob| TokenLogprob { bytes: tokenizer.bytes(token).to_vec(), logprob };
    DrawnLogprob {
        token: of(token, logprobs.drawn),
        top: logprobs.top.iter().map(|(token, logprob)| of(*token, *logprob)).collect(),
    }
}

/// Text without what Postgres or Rust would refuse: halves of characters and U+0000 become
/// U+FFFD, and the length stays within the limit for answers.
fn readable(bytes: Vec<u8>) -> (String, bool) {
    let mut text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let had_nul = text.contains('\0');
    if had_nul {
        text = text.replace('\0', "\u{fffd}");
    }
    text.truncate(text.floor_char_boundary(ANSWER_BYTES));
    (text, had_nul)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_readable() {
        assert_eq!(readable(b"plain".to_vec()), ("plain".to_owned(), false));
        assert_eq!(readable(b"a\0b".to_vec()), ("a\u{fffd}b".to_owned(), true));
        assert_eq!(readable(b"half \xe2\x82".to_vec()), ("half \u{fffd}".to_owned(), false));
        let long =
            readable([b'a'].repeat(ANSWER_BYTES - 1).into_iter().chain(*b"\xc3\xa9").collect());
        assert_eq!(long.0.len(), ANSWER_BYTES - 1);
    }
}
