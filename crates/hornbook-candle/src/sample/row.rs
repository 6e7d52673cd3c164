//! One row of logits, read once: where its large numbers are.

use crate::kernel::Isa;
use crate::kernel::scan::{BLOCK, block_maxima};

use super::candidate::Candidate;

/// The logits hold no finite number, so there is nothing to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoToken;

/// The largest number of each block of a row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    isa: Isa,
    maxima: Vec<f32>,
    sorting: Vec<f32>,
}

impl Row {
    pub(super) fn new(isa: Isa) -> Self {
        Self { isa, maxima: Vec::new(), sorting: Vec::new() }
    }

    pub(super) fn isa(&self) -> Isa {
        self.isa
    }

    /// Reads a row and returns its largest finite number. What is not finite becomes something
    /// that is never drawn.
    pub(super) fn read(&mut self, logits: &mut [f32]) -> Result<f32, NoToken> {
        block_maxima(self.isa, logits, &mut self.maxima);
        let mut top = self.top();
        if top == f32::INFINITY {
            for logit in logits.iter_mut().filter(|logit| logit.is_infinite()) {
                *logit = f32::NEG_INFINITY;
            }
            block_maxima(self.isa, logits, &mut self.maxima);
            top = self.top();
        }
        if top > f32::NEG_INFINITY { Ok(top) } else { Err(NoToken) }
    }

    fn top(&self) -> f32 {
        self.maxima.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// The lowest token of those with the largest logit.
    pub(super) fn first_of(&self, top: f32, logits: &[f32]) -> u32 {
        let block = self.maxima.iter().position(|maximum| *maximum == top).unwrap_or_default();
        let start = block * BLOCK;
        let within = logits[start..].iter().position(|logit| *logit == top).unwrap_or_default();
        (start + within) as u32
    }

    /// A finite logit that at least `count` tokens reach, if there are so many: the `count`-th
    /// largest of the blocks' maxima, each of which is one token's.
    pub(super) fn reached_by(&mut self, count: usize) -> f32 {
        if count == 0 || count > self.maxima.len() {
            return f32::MIN;
        }
        self.sorting.clone_from(&self.maxima);
        let (_, bound, _) =
            self.sorting.select_nth_unstable_by(count - 1, |left, right| right.total_cmp(left));
        bound.max(f32::MIN)
    }

    /// Fills `candidates` with every token whose logit is at least `least`, a finite number.
    pub(super) fn at_least(&self, least: f32, logits: &[f32], candidates: &mut Vec<Candidate>) {
        candidates.clear();
        let blocks = logits.chunks(BLOCK).zip(&self.maxima).zip((0..).step_by(BLOCK));
        for ((block, maximum), start) in blocks {
            if *maximum >= least {
                let reaching = block.iter().zip(start..).filter(|(logit, _)| **logit >= least);
                candidates.extend(reaching.map(|(logit, token)| Candidate::new(*logit, token)));
            }
        }
    }
}
