//! The seeds of the prompts that are rendered next.

use std::collections::BTreeMap;

use hornbook_db::{Db, DbError, seeds};
use hornbook_prompt::PlannedPrompt;
use hornbook_types::SeedRecord;

use super::job::JobRun;

/// The plan's word on each prompt, with its seed; `None` for a seed that is not there.
pub(crate) async fn of(
    db: &Db,
    job: &JobRun,
    seqs: &[u64],
) -> Result<Vec<(PlannedPrompt, Option<SeedRecord>)>, DbError> {
    let plan = job.prompter.plan();
    let planned: Vec<PlannedPrompt> = seqs.iter().map(|&seq| plan.at(seq)).collect();
    let mut numbers: Vec<u64> = planned.iter().map(|planned| planned.seed_seq).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let records = seeds::by_seqs(db, &job.spec.seed_set, &numbers).await?;
    let mut by_number: BTreeMap<u64, SeedRecord> =
        records.into_iter().map(|record| (record.seq, record)).collect();
    let shared = numbers.len() < planned.len();
    let seed_of = |planned: PlannedPrompt| {
        let seed = match shared {
            true => by_number.get(&planned.seed_seq).cloned(),
            false => by_number.remove(&planned.seed_seq),
        };
        (planned, seed)
    };
    Ok(planned.into_iter().map(seed_of).collect())
}
