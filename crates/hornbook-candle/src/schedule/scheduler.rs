//! The engine's thread: sequences join and leave between any two passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use crate::kernel::{PageId, Team};
use crate::model::{ComputeError, Pass};
use crate::pages::PageBook;
use crate::text::TextTokenizer;

use super::figures::Figures;
use super::intake::Ready;
use super::sequence::{Draft, Sequence};
use super::{Forward, answer};

/// Most rows of prompts in one pass. While a pass of that many rows runs, every sequence that is
/// being written waits; larger passes would hardly be faster per row.
pub(crate) const PROMPT_ROWS_PER_STEP: usize = 128;

/// Everything that the engine's thread owns.
pub(crate) struct Scheduler<F> {
    forward: F,
    common: Common,
    book: PageBook,
    /// Sequences under way, in the order of their coming: what one of them computes, those after
    /// it need not.
    active: Vec<Sequence>,
    /// The next one, when there was no room for it. It goes first, however little others need:
    /// small prompts must not keep a large one waiting for ever.
    head: Option<Ready>,
    draft: Draft,
}

/// What the engine's thread has in common with others.
pub(crate) struct Common {
    pub(crate) team: Arc<Team>,
    pub(crate) tokenizer: Arc<TextTokenizer>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) model_name: String,
    /// Most sequences at once.
    pub(crate) slots: usize,
}

impl<F: Forward> Scheduler<F> {
    pub(crate) fn new(forward: F, book: PageBook, common: Common) -> Self {
        common.figures.set_running(0, &book);
        let active = Vec::with_capacity(common.slots);
        Self { forward, common, book, active, head: None, draft: Draft::default() }
    }

    /// Runs until the engine stops or cannot compute. What is under way then is dropped, which
    /// tells its callers.
    pub(super) fn run(mut self, ready: &Receiver<Ready>) {
        while !self.common.stop.load(Ordering::Acquire) {
            if self.is_idle() {
                let Ok(next) = ready.recv() else { return };
                self.head = Some(next);
            }
            self.admit(|| ready.try_recv().ok());
            if let Err(error) = self.step() {
                tracing::error!(%error, "the engine stops");
                return;
            }
        }
    }

    /// True when nothing is under way or waits for room.
    pub(super) fn is_idle(&self) -> bool {
        self.active.is_empty() && self.head.is_none()
    }

    /// Gives slots and pages to those who wait, in the order of their coming, until the next has
    /// no room.
    pub(super) fn admit(&mut self, mut next: impl FnMut() -> Option<Ready>) {
        self.leave(Sequence::is_given_up);
        while self.active.len() < self.common.slots {
            let Some(mut ready) = self.head.take().or_else(&mut next) else { break };
            if ready.sequence.is_given_up() {
                ready.sequence.answer(&self.common.model_name);
            } else if ready.sequence.enter(&mut self.book) {
                self.active.push(ready.sequence);
            } else if self.active.is_empty() {
                // No prompt is longer than the context, which all pages together hold; this only
                // keeps the impossible from waiting for ever.
                ready.sequence.refuse(answer::no_room());
            } else {
                self.head = Some(ready);
                break;
            }
        }
        self.common.figures.set_running(self.active.len(), &self.book);
    }

    /// Ends the sequences that `is_leaving` names, keeping the others' order.
    fn leave(&mut self, is_leaving: impl Fn(&Sequence) -> bool) {
        let Self { active, book, common, .. } = self;
        let mut leaving: Vec<Sequence> =
            active.extract_if(.., |sequence| is_leaving(sequence)).collect();
        leaving.iter_mut().for_each(|sequence| sequence.leave(book));
        // Whoever has an answer finds its pages, and its room, in the figures and for the next.
        common.figures.set_running(active.len(), book);
        leaving.into_iter().for_each(|sequence| sequence.answer(&common.model_name));
    }

    /// One pass: a new token for every sequence being written, and a share of the prompts.
    pub(super) fn step(&mut self) -> Result<(), ComputeError> {
        let Self { forward, common, book, active, draft, .. } = self;
        let mut copied = Ok(());
        book.settle_copies(|from, to, positions| {
            if copied.is_ok() {
                copied = forward.copy_page(from, to, positions);
            }
        });
        copied?;
        draft.begin(PROMPT_ROWS_PER_STEP);
        for (number, sequence) in active.iter_mut().enumerate() {
            sequence.add_rows(number, book, draft);
        }
        if !draft.rows.is_empty() {
            let tables: Vec<&[PageId]> =
                active.iter().map(|sequence| sequence.table().pages()).collect();
            let Draft { rows, wanted, .. } = draft;
            let vocabulary = forward.vocabulary();
            let logits = forward.forward(Pass { rows, tables: &tables, wanted })?;
            let drawing = active.iter_mut().filter(|sequence| sequence.awaits_logits());
            let mut drawing: Vec<_> = drawing.zip(logits.chunks_exact_mut(vocabulary)).collect();
            for (tokens, cached) in drawing.iter().filter_map(|(each, _)| each.prompt_done()) {
                common.figures.add_prompt(tokens, cached);
            }
            common.team.run_chunks(&mut drawing, 1, 1, |_, each| {
                for (sequence, logits) in each {
                    sequence.take_logits(logits, &common.tokenizer);
                }
            });
            common.figures.add_pass(rows.len(), wanted.len());
        }
        self.leave(Sequence::has_finished);
        Ok(())
    }
}
