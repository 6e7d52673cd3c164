//! The engine's thread: sequences join and leave between any two passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hornbook_inference::Input;
use hornbook_types::FieldError;
use rayon::prelude::*;
use tokio::sync::mpsc;

use crate::kernel::{Crew, Isa, PageId, Team};
use crate::model::{Attention, ComputeError, Model, Pass, Row, Scratch};
use crate::sample::{Sampler, SamplerStart, Watch, check_vocabulary};
use crate::text::{ChatTemplate, PromptError, TextTokenizer, encode_text};

use super::sequence::{Sequence, Start};
use super::{Work, answer};

/// Most rows of prompts in one pass. While a pass of that many rows runs, every sequence that is
/// being written waits; larger passes would hardly be faster per row.
pub(crate) const PROMPT_ROWS_PER_STEP: usize = 128;

/// Everything that the engine's thread owns.
pub(crate) struct Scheduler {
    pub(crate) model: Model,
    pub(crate) attention: Box<dyn Attention>,
    pub(crate) team: Team,
    pub(crate) isa: Isa,
    pub(crate) tokenizer: Arc<TextTokenizer>,
    pub(crate) chat: ChatTemplate,
    pub(crate) model_name: String,
    pub(crate) context_tokens: usize,
    pub(crate) inbox: mpsc::Receiver<Work>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) pool: rayon::ThreadPool,
    pub(crate) desk: Desk,
}

/// The sequences under way and the memory that passes reuse.
pub(crate) struct Desk {
    active: Vec<Sequence>,
    free_slots: Vec<usize>,
    rows: Vec<Row>,
    wanted: Vec<usize>,
    scratch: Scratch,
    /// Every slot's pages, its own from beginning to end.
    tables: Vec<Vec<PageId>>,
}

impl Desk {
    pub(crate) fn new(slots: usize, pages_per_slot: usize) -> Self {
        let first = |slot: usize| (slot * pages_per_slot) as u32;
        Self {
            active: Vec::with_capacity(slots),
            free_slots: (0..slots).rev().collect(),
            rows: Vec::new(),
            wanted: Vec::new(),
            scratch: Scratch::default(),
            tables: (0..slots)
                .map(|slot| (first(slot)..first(slot + 1)).map(PageId).collect())
                .collect(),
        }
    }
}

impl Scheduler {
    /// Runs until the engine stops; then everything queued or under way is told so.
    pub(crate) fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            if self.desk.active.is_empty() {
                match self.inbox.blocking_recv() {
                    Some(work) => self.admit(work),
                    None => break,
                }
            }
            while !self.desk.free_slots.is_empty() {
                let Ok(work) = self.inbox.try_recv() else { break };
                self.admit(work);
            }
            self.leave(|sequence| sequence.is_given_up());
            if !self.desk.active.is_empty() {
                if let Err(error) = self.step() {
                    tracing::error!(%error, "the engine stops");
                    self.stop.store(true, Ordering::Release);
                    break;
                }
                self.leave(|sequence| sequence.has_finished());
            }
        }
        self.inbox.close();
        while let Ok(work) = self.inbox.try_recv() {
            let _ = work.reply.send(Err(answer::stopped()));
        }
        for sequence in self.desk.active {
            sequence.fail(answer::stopped());
        }
    }

    /// Gives a prompt a slot, or tells at once why it cannot have one.
    fn admit(&mut self, work: Work) {
        let Work { request, reply } = work;
        if request.cancel.is_cancelled() || reply.is_closed() {
            let _ = reply.send(Err(answer::cancelled()));
            return;
        }
        let prompt = match self.prompt(&request) {
            Ok(prompt) => prompt,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let Some(slot) = self.desk.free_slots.pop() else {
            // The caller of `admit` looked; this answer only keeps the impossible harmless.
            let _ = reply.send(Err(answer::stopped()));
            return;
        };
        let sampler = Sampler::new(SamplerStart {
            sampling: &request.sampling,
            seed: request.seed,
            vocabulary: self.model.vocabulary(),
            prompt: &prompt,
            ends: self.tokenizer.ends(),
            logprobs: request.logprobs,
            isa: self.isa,
        });
        self.desk.active.push(Sequence::new(Start {
            slot,
            prompt,
            max_tokens: request.sampling.max_tokens as usize,
            sampler,
            watch: Watch::new(&request.sampling),
            cancel: request.cancel,
            reply,
        }));
    }

    fn prompt(
        &self,
        request: &hornbook_inference::CompletionRequest,
    ) -> Result<Vec<u32>, hornbook_inference::CompletionError> {
        let mut faults = Vec::<FieldError>::new();
        request.sampling.check("/sampling", &mut faults);
        if let Some(fault) = faults.first() {
            return Err(answer::rejected(format!("{} {}", fault.pointer, fault.detail)));
        }
        check_vocabulary(&request.sampling, self.model.vocabulary()).map_err(answer::rejected)?;
        let prompt = self.encode(&request.input).map_err(|reason| answer::bad_prompt(&reason))?;
        if prompt.is_empty() {
            return Err(answer::bad_prompt(&crate::text::PromptError::Empty));
        }
        if prompt.len() >= self.context_tokens {
            return Err(answer::too_long(prompt.len(), self.context_tokens));
        }
        Ok(prompt)
    }

    fn encode(&self, input: &Input) -> Result<Vec<u32>, PromptError> {
        match input {
            Input::Messages(messages) => self.chat.encode(messages, &self.tokenizer),
            Input::Text(text) => encode_text(text, &self.tokenizer),
        }
    }

    /// Ends the sequences that `is_leaving` names and frees their slots, keeping the others' order.
    fn leave(&mut self, is_leaving: impl Fn(&Sequence) -> bool) {
        let Desk { active, free_slots, .. } = &mut self.desk;
        for sequence in active.extract_if(.., |sequence| is_leaving(sequence)) {
            free_slots.push(sequence.slot());
            sequence.answer(&self.model_name);
        }
    }

    /// One pass: a new token for every sequence being written, and a share of the prompts.
    fn step(&mut self) -> Result<(), ComputeError> {
        let Self { model, attention, team, isa, tokenizer, context_tokens, pool, desk, .. } = self;
        let Desk { active, rows, wanted, scratch, tables, .. } = desk;
        let crew = Crew { team, isa: *isa };
        rows.clear();
        wanted.clear();
        let mut prompt_rows = PROMPT_ROWS_PER_STEP;
        for sequence in active.iter_mut() {
            sequence.add_rows(&mut prompt_rows, rows, wanted);
        }
        let tables: Vec<&[PageId]> = tables.iter().map(Vec::as_slice).collect();
        let pass = Pass { rows, tables: &tables, wanted };
        pool.install(|| {
            let logits = model.forward(crew, attention.as_mut(), pass, scratch)?;
            let per_sequence = logits.chunks_exact_mut(model.vocabulary());
            let awaiting: Vec<_> = active
                .iter_mut()
                .filter(|sequence| sequence.awaits_logits())
                .zip(per_sequence)
                .collect();
            awaiting.into_par_iter().for_each(|(sequence, logits)| {
                sequence.take_logits(logits, tokenizer, *context_tokens);
            });
            Ok(())
        })
    }
}
