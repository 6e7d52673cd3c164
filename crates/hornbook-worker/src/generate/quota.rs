//! Quotas of accepted documents within one chunk: which of its prompts need no answer any more.
//!
//! A line's prompt is skipped once the line's quota of accepted documents is stored at lower numbers:
//! in done chunks below this one, as the claim said, and in this chunk. The corpus takes a line's first
//! n accepted documents by number, and stored ones never go away, so at least n of them stay below the
//! skipped prompt whatever else ends how: it could not have been among the first n. What other workers
//! store meanwhile is not looked at, which can only cost prompts, never change the result.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hornbook_db::chunks::{Lease, QuotaPart};
use hornbook_prompt::Plan;

use super::job::JobRun;

/// What a chunk knows of its job's quotas.
pub(crate) struct ChunkQuota {
    lines: Mutex<Lines>,
}

struct Lines {
    lines: Vec<Line>,
    /// Prompts of the chunk that are not sent.
    skipped: u64,
}

struct Line {
    /// Accepted documents that are wanted of this chunk at most: the quota less those below it.
    wanted: usize,
    /// Numbers of the chunk's accepted and stored documents, in order.
    accepted: Vec<u64>,
}

impl Line {
    fn needs(&self, seq: u64) -> bool {
        self.accepted.partition_point(|&accepted| accepted < seq) < self.wanted
    }
}

impl ChunkQuota {
    /// The quotas of a leased chunk, with the accepted documents that earlier owners stored in it;
    /// `None` when its job asks for prompts.
    pub(crate) fn of(job: &JobRun, lease: &Lease, accepted: &[u64]) -> Option<Self> {
        let (quotas, below) = (job.spec.quotas()?, lease.line_accepted.as_ref()?);
        let quota = Self::new(&quotas, below);
        quota.note(job.prompter.plan(), accepted.iter().copied());
        Some(quota)
    }

    fn new(quotas: &[u64], below: &[u64]) -> Self {
        let left = quotas.iter().zip(below).map(|(quota, below)| quota.saturating_sub(*below));
        let lines = left
            .map(|left| Line {
                wanted: usize::try_from(left).unwrap_or(usize::MAX),
                accepted: vec![],
            })
            .collect();
        Self { lines: Mutex::new(Lines { lines, skipped: 0 }) }
    }

    /// True when prompt `seq` is not to be sent; it counts as skipped from then on.
    pub(crate) fn skips(&self, plan: &Plan, seq: u64) -> bool {
        let mut lines = self.lock();
        let skips = !lines.lines[plan.at(seq).line].needs(seq);
        lines.skipped += u64::from(skips);
        skips
    }

    /// Notes stored documents that were accepted; true when prompts may have become needless.
    pub(crate) fn note(&self, plan: &Plan, seqs: impl Iterator<Item = u64>) -> bool {
        let mut lines = self.lock();
        let mut is_met = false;
        for seq in seqs {
            let line = &mut lines.lines[plan.at(seq).line];
            if let Err(place) = line.accepted.binary_search(&seq) {
                line.accepted.insert(place, seq);
                is_met |= line.accepted.len() >= line.wanted;
            }
        }
        is_met
    }

    /// What finishing the chunk says of it.
    pub(crate) fn part(&self) -> QuotaPart {
        let lines = self.lock();
        QuotaPart {
            skipped: lines.skipped,
            line_accepted: lines.lines.iter().map(|line| line.accepted.len() as u64).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Every change under this lock is a single step, so a panic leaves it whole.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two equal lines that alternate: even numbers are of the first, odd ones of the second.
    fn plan() -> Option<Plan> {
        let line = serde_json::json!({
            "template": "story@1", "audience": "toddler@1", "prompts": 10,
            "quota": {"accepted": 3, "weight": 500_000},
            "template_spec": {"format": "story", "body": "{{ seed.topic }}"},
            "audience_spec": {
                "title": "T", "reader": "r", "instructions": ["i"], "vocabulary": "v",
                "leave_out": [], "formulas": "f", "ending": "e",
                "tokens": {"min": 1, "max": 2}, "grade": {},
            },
        });
        let spec = serde_json::from_value(serde_json::json!({
            "name": "n", "seed_set": "s@1", "seeds": 5, "lines": [line.clone(), line], "total": 20,
            "paired": false, "sampling": {}, "endpoints": ["local"], "gates": {}, "assembly": {},
            "priority": 0, "metadata": {},
        }));
        Plan::new(&spec.ok()?)
    }

    #[test]
    fn skips_only_above_the_document_that_met_the_quota() {
        let Some(plan) = plan() else { panic!("a plan") };
        // The first line has its three below this chunk, the second wants two more.
        let quota = ChunkQuota::new(&[3, 3], &[5, 1]);
        assert!(quota.skips(&plan, 10) && !quota.skips(&plan, 11));
        assert!(!quota.note(&plan, [15].into_iter()));
        assert!(quota.note(&plan, [11, 15].into_iter()), "the second one; a repeated one is one");
        assert!(!quota.skips(&plan, 13), "two are in hand, but one lies above");
        assert!(quota.skips(&plan, 17));
        assert_eq!(quota.part(), QuotaPart { skipped: 2, line_accepted: vec![0, 2] });
    }
}
