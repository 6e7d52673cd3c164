//! Which line and which seed prompt `seq` has: computed both ways, stored nowhere.
//!
//! Line i with n_i prompts has its k-th at position (2k+1) / (2 n_i); `seq` is the rank of
//! that position among all lines', ties going to the earlier line. So the lines interleave
//! evenly and line i has had round(x n_i) prompts when the plan stands at position x: at every
//! prefix its count is within 1/2 + L/2 x its share of exact, L being the number of lines
//! (within one wherever no line has more than the average share).
//!
//! A job that asks for accepted documents takes the lines' shares in millionths for n_i: the order
//! is the same for any number of prompts, and its total only says where the plan must end.
//!
//! The k-th prompt of a line takes the seed at place k mod S of a permutation of the S seeds,
//! keyed by job seed, line and k div S; a paired job leaves the line out of the key.

use hornbook_types::{PinnedJobSpec, mix};

use crate::permute::permute;

/// Keeps the order of seeds apart from the sampling seeds.
const SEED_ORDER_KEY: u64 = 0x6f72_6465_7273; // "orders"
/// Stands for "no line" in the key of a paired job; no line has this number.
const PAIRED_LINE: u64 = u64::MAX;

/// The order of a job's prompts.
#[derive(Clone, Debug)]
pub struct Plan {
    weights: Vec<u64>,
    weight_sum: u64,
    active_lines: u64,
    seeds: u64,
    job_seed: u64,
    paired: bool,
    total: u64,
}

/// What prompt `seq` is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedPrompt {
    /// Number of the prompt within its job.
    pub seq: u64,
    /// Index of the recipe line.
    pub line: usize,
    /// Number of the prompt within its line.
    pub k: u64,
    /// Number of the seed within the seed set.
    pub seed_seq: u64,
    /// What the prompt draws tokens with.
    pub sampling_seed: u64,
}

impl Plan {
    /// The plan of a pinned job; `None` for one without seeds or prompts, which no job that
    /// [`crate::pin()`] made can be.
    pub fn new(spec: &PinnedJobSpec) -> Option<Self> {
        let weights: Vec<u64> = spec
            .lines
            .iter()
            .map(|line| line.quota.map_or(line.prompts, |quota| quota.weight))
            .collect();
        let weight_sum = weights.iter().try_fold(0u64, |sum, &weight| sum.checked_add(weight))?;
        // Keeps every product below in 128 bits with room to spare.
        if weight_sum == 0 || weight_sum > u64::MAX >> 8 || spec.seeds == 0 {
            return None;
        }
        Some(Self {
            active_lines: weights.iter().filter(|&&weight| weight > 0).count() as u64,
            weights,
            weight_sum,
            seeds: spec.seeds,
            job_seed: spec.sampling.seed.0,
            paired: spec.paired,
            total: spec.total,
        })
    }

    /// Number of prompts of the job.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What prompt `seq` is made of; defined past the job's total too, where the plan goes on.
    pub fn at(&self, seq: u64) -> PlannedPrompt {
        for line in 0..self.weights.len() {
            if let Some(k) = self.find(line, seq) {
                return PlannedPrompt {
                    seq,
                    line,
                    k,
                    seed_seq: self.seed_seq(line, k),
                    sampling_seed: mix(self.job_seed, seq),
                };
            }
        }
        unreachable!("ranks are a bijection: some line has rank {seq}")
    }

    /// The `seq` of line `line`'s `k`-th prompt; `None` when that line has no prompts.
    pub fn seq_of(&self, line: usize, k: u64) -> Option<u64> {
        self.weights.get(line).filter(|&&weight| weight > 0).map(|_| self.rank(line, k))
    }

    /// How many prompts of line `line` stand before `seq`.
    pub fn prompts_below(&self, line: usize, seq: u64) -> u64 {
        if self.weights.get(line).is_none_or(|&weight| weight == 0) {
            return 0;
        }
        // A line's k-th prompt stands at k or later, so at most `seq` of them stand before it.
        let (mut low, mut high) = (0, seq);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.rank(line, middle) < seq { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The seed that line `line`'s `k`-th prompt takes.
    fn seed_seq(&self, line: usize, k: u64) -> u64 {
        let line = if self.paired { PAIRED_LINE } else { line as u64 };
        let key = mix(mix(mix(self.job_seed, SEED_ORDER_KEY), line), k / self.seeds);
        permute(key, self.seeds, k % self.seeds)
    }

    /// How many prompts of all lines stand before line `line`'s `k`-th.
    fn rank(&self, line: usize, k: u64) -> u64 {
        let weight = u128::from(self.weights[line]);
        let odd = 2 * u128::from(k) + 1;
        let mut rank = u128::from(k);
        for (other, &other_weight) in self.weights.iter().enumerate() {
            if other == line || other_weight == 0 {
                continue;
            }
            // (2j+1)/(2 w_other) stands before (2k+1)/(2 w) iff (2j+1) w < (2k+1) w_other;
            // equality counts for earlier lines. The odd numbers up to m are (m+1)/2.
            let bound = odd * u128::from(other_weight);
            let largest = if other < line { bound / weight } else { (bound - 1) / weight };
            rank += largest.div_ceil(2);
        }
        rank as u64
    }

    /// The `k` of `line` whose rank is `seq`, if it has one.
    fn find(&self, line: usize, seq: u64) -> Option<u64> {
        let weight = u128::from(self.weights[line]);
        if weight == 0 {
            return None;
        }
        // Each other line is within half a prompt of its exact count, which pins 2k+1 between
        // (2 seq + 2 - L) w / W and (2 seq + L) w / W; a few steps of bisection remain.
        let (sum, lines) = (u128::from(self.weight_sum), u128::from(self.active_lines));
        let twice = 2 * u128::from(seq);
        let lowest = (twice + 2).saturating_sub(lines) * weight / sum;
        let highest = (twice + lines) * weight / sum + 1;
        let (mut low, mut high) = ((lowest / 2).saturating_sub(1) as u64, (highest / 2) as u64);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.rank(line, middle) < seq { low = middle + 1 } else { high = middle }
        }
        (self.rank(line, low) == seq).then_some(low)
    }
}
