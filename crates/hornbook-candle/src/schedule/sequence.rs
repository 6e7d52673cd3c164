//! One prompt under way: what was fed to the model, and the answer so far.

use hornbook_inference::{Completion, CompletionError, DrawnLogprob, Piece, TokenLogprob};
use hornbook_types::{FinishReason, Usage};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::model::Row;
use crate::pages::{PageBook, PageTable};
use crate::sample::{Logprobs, NoToken, Progress, Sampler, Watch};
use crate::text::TextTokenizer;

use super::transcript::{Transcript, Written};
use super::{Answer, answer};

/// A prompt and what is written after it.
pub(super) struct Sequence {
    /// Of the prompt, then those drawn; the end mark is left out.
    tokens: Vec<u32>,
    prompt_tokens: usize,
    /// Tokens whose keys and values are in the pages, or will be after the pass being put
    /// together.
    stored: usize,
    /// Tokens of the prompt that this sequence itself computed.
    computed: usize,
    table: PageTable,
    max_tokens: usize,
    context_tokens: usize,
    sampler: Sampler,
    watch: Watch,
    transcript: Transcript,
    cancel: CancellationToken,
    reply: oneshot::Sender<Answer>,
    /// True when the pass under way computes logits for this sequence.
    awaits_logits: bool,
    finished: Option<Result<FinishReason, CompletionError>>,
}

/// What a sequence is made from.
pub(super) struct Start {
    /// Not empty, and shorter than `context_tokens`.
    pub(super) prompt: Vec<u32>,
    pub(super) max_tokens: usize,
    pub(super) context_tokens: usize,
    pub(super) sampler: Sampler,
    pub(super) watch: Watch,
    pub(super) cancel: CancellationToken,
    pub(super) pieces: Option<mpsc::Sender<Piece>>,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// A pass that is being put together.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) rows: Vec<Row>,
    /// Numbers of the rows whose logits are needed.
    pub(super) wanted: Vec<usize>,
    /// Rows of prompts that still go into the pass.
    pub(super) prompt_rows: usize,
}

impl Draft {
    /// An empty pass with room for that many rows of prompts.
    pub(super) fn begin(&mut self, prompt_rows: usize) {
        self.rows.clear();
        self.wanted.clear();
        self.prompt_rows = prompt_rows;
    }
}

impl Sequence {
    pub(super) fn new(start: Start) -> Self {
        let Start { prompt, max_tokens, context_tokens, sampler, watch, cancel, pieces, reply } =
            start;
        Self {
            prompt_tokens: prompt.len(),
            tokens: prompt,
            stored: 0,
            computed: 0,
            table: PageTable::default(),
            max_tokens,
            context_tokens,
            sampler,
            watch,
            transcript: Transcript::new(pieces),
            cancel,
            reply,
            awaits_logits: false,
            finished: None,
        }
    }

    /// Takes its pages; false while there is no room for all that it may become.
    pub(super) fn enter(&mut self, book: &mut PageBook) -> bool {
        // The token drawn last is never fed, and so needs no position.
        let longest = (self.prompt_tokens + self.max_tokens).min(self.context_tokens) - 1;
        let table = book.admit(&self.tokens, longest);
        let is_admitted = table.is_some();
        self.table = table.unwrap_or_default();
        is_admitted
    }

    /// The pages that it entered with, and those added since.
    pub(super) fn table(&self) -> &PageTable {
        &self.table
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

    /// Tokens of the prompt, and how many of them others computed; told once, after the pass in
    /// which the last of them was stored.
    pub(super) fn prompt_done(&self) -> Option<(usize, usize)> {
        let is_first = self.awaits_logits && self.stored == self.prompt_tokens;
        is_first.then_some((self.prompt_tokens, self.cached_tokens()))
    }

    fn cached_tokens(&self) -> usize {
        self.prompt_tokens - self.computed
    }

    /// Adds this sequence's rows to a pass in which it is the `number`-th: its one new token, or
    /// as much of its prompt as the pass still takes and no other computes. The row whose logits
    /// it needs is marked as wanted.
    pub(super) fn add_rows(&mut self, number: usize, book: &mut PageBook, draft: &mut Draft) {
        self.awaits_logits = false;
        if self.stored < self.prompt_tokens {
            self.add_prompt_rows(number, book, draft);
        } else if let Some(token) = self.tokens.get(self.stored) {
            if !book.claim_next(&mut self.table, self.stored) {
                // A reservation that does not hold; this only keeps the impossible harmless.
                self.finished = Some(Err(answer::gone()));
                return;
            }
            draft.rows.push(Row { sequence: number, position: self.stored, token: *token });
            self.stored += 1;
            self.awaits_logits = true;
        }
        if self.awaits_logits {
            draft.wanted.push(draft.rows.len() - 1);
        }
    }

    fn add_prompt_rows(&mut self, number: usize, book: &mut PageBook, draft: &mut Draft) {
        while self.stored < self.prompt_tokens && draft.prompt_rows > 0 {
            let most = draft.prompt_rows;
            let run = book.claim(&self.table, self.stored, self.prompt_tokens, most);
            let Some(run) = run else { return };
            self.stored = run.end;
            self.computed += run.len();
            draft.prompt_rows -= run.len();
            let placed = self.tokens[run.clone()].iter().zip(run);
            draft.rows.extend(placed.map(|(token, position)| Row {
                sequence: number,
                position,
                token: *token,
            }));
        }
        self.awaits_logits = self.stored == self.prompt_tokens;
    }

    /// Draws the next token from this sequence's logits and sees whether the answer ends there.
    pub(super) fn take_logits(&mut self, logits: &mut [f32], tokenizer: &TextTokenizer) {
        let drawn = match self.sampler.draw(logits) {
            Ok(drawn) => drawn,
            Err(NoToken) => {
                self.finished = Some(Err(answer::no_token()));
                return;
            }
        };
        let token = drawn.token;
        if tokenizer.is_end(token) {
            self.finished = Some(Ok(FinishReason::Stop));
            return;
        }
        self.tokens.push(token);
        let bytes = tokenizer.bytes(token);
        let logprob = drawn.logprobs.map(|logprobs| told(token, &logprobs, tokenizer));
        let progress = self.watch.push(token, bytes);
        match progress {
            Progress::Stopped { kept_bytes, withdrawn_bytes } => {
                self.transcript.take_back(withdrawn_bytes);
                self.transcript.push(&bytes[..kept_bytes], 0, logprob);
            }
            Progress::Goes { held_bytes } => self.transcript.push(bytes, held_bytes, logprob),
            Progress::Looped => self.transcript.push(bytes, 0, logprob),
        }
        self.transcript.send();
        let is_full = self.tokens.len() >= self.context_tokens || self.transcript.is_full();
        let is_full = is_full || self.drawn() >= self.max_tokens;
        let reason = progress.finish_reason().or(is_full.then_some(FinishReason::Length));
        self.finished = reason.map(Ok);
    }

    fn drawn(&self) -> usize {
        self.tokens.len() - self.prompt_tokens
    }

    /// Gives its pages back.
    pub(super) fn leave(&mut self, book: &mut PageBook) {
        book.release(std::mem::take(&mut self.table), &self.tokens);
    }

    /// Sends what came of it; a caller who is gone is no error.
    pub(super) fn answer(self, model: &str) {
        let usage = Usage {
            prompt_tokens: self.prompt_tokens as u64,
            completion_tokens: self.drawn() as u64,
            cached_tokens: self.cached_tokens() as u64,
        };
        let answer = match self.finished {
            Some(Ok(finish_reason)) => {
                let Written { text, had_nul, logprobs, unsent } = self.transcript.finish();
                let completion = Completion {
                    text,
                    had_nul,
                    finish_reason,
                    usage,
                    usage_estimated: false,
                    model: model.to_owned(),
                    logprobs,
                    wasted: Usage::default(),
                };
                Ok((completion, unsent))
            }
            Some(Err(error)) => Err(error),
            None => Err(answer::cancelled()),
        };
        let _ = self.reply.send(answer);
    }

    /// Ends it with an error.
    pub(super) fn refuse(self, error: CompletionError) {
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
