//! Which accepted documents a job with quotas takes, and what it counts: by the order of prompts alone.

use hornbook_db::documents::{self, PromptOutcome};
use hornbook_db::{Db, DbError, chunks};
use hornbook_prompt::Plan;
use hornbook_types::{PinnedJobSpec, RowFunnel, Verdict};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::limits::EXPORT_ROWS_MAX;
use crate::shared::until_answered;

/// Which prompts of each line a corpus is made of, and what became of them.
///
/// A line counts up to its n-th accepted document, or up to its first prompt that has not ended, or
/// to the end of the plan: everything here is the same however many prompts beyond that were sent.
pub(crate) struct Selection {
    plan: Plan,
    /// For each line, one past the last prompt that counts.
    ends: Vec<u64>,
    /// Prompts that count, and what became of them but for the accepted ones.
    pub(crate) funnel: RowFunnel,
    /// Accepted documents that are beyond their line's quota.
    pub(crate) surplus: u64,
}

/// The state of one line while outcomes go by in order.
struct Line {
    quota: u64,
    /// First prompt that has not ended, or one past the plan.
    frontier: u64,
    accepted: u64,
    /// One past the document that met the quota.
    met_at: Option<u64>,
}

impl Selection {
    /// Reads what became of every prompt; `None` for a job that asks for prompts.
    pub(crate) async fn of(
        db: &Db,
        job: Uuid,
        spec: &PinnedJobSpec,
        halt: &CancellationToken,
    ) -> Result<Option<Self>, DbError> {
        let (Some(quotas), Some(plan)) = (spec.quotas(), Plan::new(spec)) else {
            return Ok(None);
        };
        let frontiers = frontiers(db, job, &plan, quotas.len(), spec.total, halt).await?;
        let mut selecting = Selecting::new(plan, &quotas, &frontiers);
        let mut after = None;
        loop {
            let page =
                until_answered(halt, || documents::outcomes(db, job, after, EXPORT_ROWS_MAX))
                    .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.seq);
            page.into_iter().for_each(|outcome| selecting.take(outcome));
        }
        Ok(Some(selecting.finish(spec)))
    }

    /// True when the accepted document `seq` belongs to the corpus.
    pub(crate) fn takes(&self, seq: u64) -> bool {
        seq < self.ends[self.plan.at(seq).line]
    }
}

struct Selecting {
    plan: Plan,
    lines: Vec<Line>,
    funnel: RowFunnel,
    surplus: u64,
}

impl Selecting {
    fn new(plan: Plan, quotas: &[u64], frontiers: &[u64]) -> Self {
        let lines = quotas
            .iter()
            .zip(frontiers)
            .map(|(&quota, &frontier)| Line {
                quota,
                frontier,
                accepted: 0,
                // A line of which nothing is wanted has it before its first prompt.
                met_at: (quota == 0).then_some(0),
            })
            .collect();
        Self { plan, lines, funnel: RowFunnel::default(), surplus: 0 }
    }

    fn take(&mut self, outcome: PromptOutcome) {
        let PromptOutcome { seq, verdict, reason } = outcome;
        let line = &mut self.lines[self.plan.at(seq).line];
        let beyond = seq >= line.frontier || line.met_at.is_some();
        match verdict {
            Verdict::Accepted if line.met_at.is_some() => self.surplus += 1,
            _ if beyond => {}
            Verdict::Accepted => {
                line.accepted += 1;
                line.met_at = (line.accepted == line.quota).then_some(seq + 1);
            }
            Verdict::Rejected => *self.funnel.rejected.entry(reason).or_default() += 1,
            Verdict::Failed => *self.funnel.failed.entry(reason).or_default() += 1,
        }
    }

    fn finish(mut self, spec: &PinnedJobSpec) -> Selection {
        let ends: Vec<u64> =
            self.lines.iter().map(|line| line.met_at.unwrap_or(line.frontier)).collect();
        for (index, (line, pinned)) in self.lines.iter().zip(&spec.lines).enumerate() {
            // All that the line may still send counts as a prompt of the job while it is short.
            let end = line.met_at.unwrap_or(spec.total);
            self.funnel.prompts += self.plan.prompts_below(index, end);
            if line.accepted < line.quota {
                let name = format!("{} for {}", pinned.template, pinned.audience);
                *self.funnel.shortfall.entry(name).or_default() += line.quota - line.accepted;
            }
        }
        Selection { plan: self.plan, ends, funnel: self.funnel, surplus: self.surplus }
    }
}

/// For each line, its first prompt that has neither a document nor been skipped.
///
/// A prompt of an open chunk that will be skipped counts as one that has not ended; it lies above the
/// document that met its line's quota, so it makes no difference.
async fn frontiers(
    db: &Db,
    job: Uuid,
    plan: &Plan,
    lines: usize,
    total: u64,
    halt: &CancellationToken,
) -> Result<Vec<u64>, DbError> {
    let mut found: Vec<Option<u64>> = vec![None; lines];
    let covered = until_answered(halt, || chunks::covered(db, job)).await?;
    for span in until_answered(halt, || chunks::open(db, job)).await? {
        if found.iter().all(Option::is_some) {
            break;
        }
        // What no chunk covers has not been looked at by anybody: all lines end there.
        if span.lo >= covered {
            found.iter_mut().for_each(|first| _ = first.get_or_insert(span.lo));
            break;
        }
        for seq in until_answered(halt, || chunks::missing(db, job, span.lo, span.hi)).await? {
            found[plan.at(seq).line].get_or_insert(seq);
        }
    }
    Ok(found.into_iter().map(|first| first.unwrap_or(total)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(seq: u64, verdict: Verdict) -> PromptOutcome {
        let reason = if verdict == Verdict::Accepted { "" } else { "why" };
        PromptOutcome { seq, verdict, reason: reason.to_owned() }
    }

    fn spec() -> PinnedJobSpec {
        let line = |quota: u64| {
            serde_json::json!({
                "template": "story@1", "audience": "toddler@1", "prompts": 10,
                "quota": {"accepted": quota, "weight": 500_000},
                "template_spec": {"format": "story", "body": "{{ seed.topic }}"},
                "audience_spec": {
                    "title": "T", "reader": "r", "instructions": ["i"], "vocabulary": "v",
                    "leave_out": [], "formulas": "f", "ending": "e",
                    "tokens": {"min": 1, "max": 2}, "grade": {},
                },
            })
        };
        serde_json::from_value(serde_json::json!({
            "name": "n", "seed_set": "s@1", "seeds": 5, "lines": [line(2), line(3)], "total": 20,
            "paired": false, "sampling": {}, "endpoints": ["local"], "gates": {}, "assembly": {},
            "priority": 0, "metadata": {},
        }))
        .unwrap_or_else(|error| panic!("{error}"))
    }

    fn selected(outcomes: &[PromptOutcome], frontiers: &[u64]) -> Option<Selection> {
        let spec = spec();
        let mut selecting = Selecting::new(Plan::new(&spec)?, &spec.quotas()?, frontiers);
        outcomes.iter().cloned().for_each(|outcome| selecting.take(outcome));
        Some(selecting.finish(&spec))
    }

    #[test]
    fn what_lies_beyond_the_quota_changes_nothing_but_the_surplus() {
        use Verdict::{Accepted, Failed, Rejected};
        // Two equal lines alternate: even numbers are of the first, odd ones of the second.
        let verdicts =
            [Accepted, Accepted, Rejected, Failed, Accepted, Accepted, Accepted, Rejected];
        let short: Vec<_> = (0..).zip(verdicts).map(|(seq, v)| outcome(seq, v)).collect();
        let mut long = short.clone();
        long.extend(
            [(8, Failed), (9, Accepted), (10, Accepted), (11, Accepted)]
                .map(|(s, v)| outcome(s, v)),
        );
        let (Some(a), Some(b)) = (selected(&short[..], &[20, 9]), selected(&long, &[20, 20]))
        else {
            panic!("a plan")
        };
        // The second line has not ended at 9 in the first case.
        assert_eq!((a.ends.clone(), a.surplus), (vec![5, 9], 1));
        assert_eq!(a.funnel.shortfall["story@1 for toddler@1"], 1);
        assert_eq!((b.ends.clone(), b.surplus), (vec![5, 10], 3));
        assert!(b.funnel.shortfall.is_empty());
        assert_eq!(
            (b.funnel.prompts, &b.funnel.rejected["why"], &b.funnel.failed["why"]),
            (8, &2, &1)
        );
        assert!(b.takes(4) && !b.takes(6) && b.takes(9) && !b.takes(11));
    }

    #[test]
    fn a_document_above_an_unended_prompt_waits() {
        let outcomes = [outcome(0, Verdict::Accepted), outcome(4, Verdict::Accepted)];
        let Some(partial) = selected(&outcomes, &[2, 1]) else { panic!("a plan") };
        assert!(partial.takes(0) && !partial.takes(4));
        assert_eq!(partial.surplus, 0, "it may be taken later");
    }
}
