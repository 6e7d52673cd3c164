//! Segments of jobs that still run, exported and examined ahead, so that an assembly finds most of its work done.
//!
//! The worker that has been at work longest does it: nobody knows yet who will assemble, and a segment that is
//! missing where that happens is exported there. One segment at a time, on one thread: documents come first.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use hornbook_corpus::{examine_segment, spec_digest};
use hornbook_db::chunks::{self, Span};
use hornbook_db::{jobs, workers};
use hornbook_types::JobState;
use hornbook_types::limits::{HEARTBEAT_SECONDS, SEGMENT_PROMPTS};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::assemble::Fault;
use crate::limits::{AHEAD_INTERVAL, AHEAD_JOBS};
use crate::segments::{Export, blocking, sidecars_dir};
use crate::shared::Shared;

/// First prompts of the segments that were examined, by job.
type Done = HashMap<Uuid, BTreeSet<u64>>;

/// Looks for segments that are complete, until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut done = Done::new();
    while !stop.is_cancelled() {
        match look(&shared, &mut done, &stop).await {
            // Whatever it is, the assembly will meet it too, and tell the job's owner.
            Err(error) if !stop.is_cancelled() => {
                tracing::debug!(%error, "no segments were examined ahead");
            }
            _ => {}
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(AHEAD_INTERVAL) => {}
        }
    }
}

async fn look(
    shared: &Arc<Shared>,
    done: &mut Done,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    let first = workers::list(&shared.db, 3 * HEARTBEAT_SECONDS as u32).await?.into_iter().next();
    if first.is_none_or(|first| first.id != shared.worker) {
        return Ok(());
    }
    let running = jobs::list(&shared.db, None, Some(JobState::Running), AHEAD_JOBS).await?;
    done.retain(|id, _| running.iter().any(|job| job.id == *id));
    for job in running {
        let covered = chunks::covered(&shared.db, job.id).await?;
        if covered < SEGMENT_PROMPTS {
            continue;
        }
        let open = chunks::open(&shared.db, job.id).await?;
        let known = done.entry(job.id).or_default();
        for lo in complete(covered, &open, known) {
            if stop.is_cancelled() {
                return Ok(());
            }
            examine(shared, job.id, lo, stop).await?;
            known.insert(lo);
        }
    }
    Ok(())
}

/// First prompts of the whole segments that no open chunk touches and that are not known yet.
fn complete(covered: u64, open: &[Span], known: &BTreeSet<u64>) -> Vec<u64> {
    let whole = (0..covered / SEGMENT_PROMPTS).map(|segment| segment * SEGMENT_PROMPTS);
    whole
        .filter(|lo| {
            let hi = lo + SEGMENT_PROMPTS;
            !known.contains(lo) && open.iter().all(|span| span.hi <= *lo || span.lo >= hi)
        })
        .collect()
}

async fn examine(
    shared: &Arc<Shared>,
    job: Uuid,
    lo: u64,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    // An assembly that is under way writes the same files.
    let _segments = shared.segments.lock().await;
    let spec = jobs::spec(&shared.db, job).await?;
    let digest = spec_digest(&spec)?;
    let hi = lo + SEGMENT_PROMPTS;
    let export = Export { shared, job, spec_digest: &digest, total: hi, halt: stop };
    let Some(segment) = export.one(lo, hi).await? else { return Ok(()) };
    let sidecars = sidecars_dir(&shared.scratch, job);
    let halt = stop.clone();
    let work = blocking(move || {
        examine_segment(&segment, &spec.assembly, None, &sidecars, 1, &|| !halt.is_cancelled())
    })
    .await??;
    tracing::debug!(%job, lo, documents = work.read, "a segment was examined ahead");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_complete_when_no_open_chunk_touches_it() {
        let at = |segment: u64| segment * SEGMENT_PROMPTS;
        let known = BTreeSet::from([at(1)]);
        let span = |lo, hi| Span { lo, hi };
        let all = [at(0), at(2), at(3)];
        assert_eq!(complete(at(4) + 5, &[], &known), all);
        assert_eq!(complete(at(4) - 1, &[], &known), all[..2], "the last is not covered");
        let open = [span(at(2) - 1, at(2)), span(at(4), at(9))];
        assert_eq!(complete(at(4), &open, &known), all);
        assert_eq!(complete(at(4), &[span(at(2) - 1, at(2) + 1)], &known), [at(0), at(3)]);
        assert_eq!(complete(at(4), &[span(5, 6)], &known), all[1..]);
        assert_eq!(complete(0, &[], &known), [0; 0]);
    }
}
