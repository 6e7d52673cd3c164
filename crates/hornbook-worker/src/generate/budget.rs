//! Budgets: asking for the next slice before the last one runs out, and giving back what is not used.
//!
//! A slice is leased from the database with each claim, and again when half of it is gone or a
//! heartbeat has passed, never for a single request. A job of which this worker may spend nothing goes
//! back to those who may.

use std::collections::BTreeMap;
use std::sync::Arc;

use hornbook_db::{DbError, budgets, endpoints};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::desk::Desk;
use super::job::JobRun;
use crate::limits::{BUDGET_REST, IDLE_INTERVAL};
use crate::shared::in_time;

/// The first slice of a job that this worker has leased prompts of; false when there is none to be had.
pub(crate) async fn open(desk: &Desk, job: &JobRun) -> Result<bool, DbError> {
    let _asking = job.purse.asking.lock().await;
    if job.purse.is_open(Instant::now()) {
        return Ok(true);
    }
    let mut dearest: f64 = 0.0;
    for name in &job.spec.endpoints {
        match endpoints::get(&desk.shared.db, name).await {
            Ok(endpoint) => {
                let price = endpoint.spec.price;
                let per_million = price.input_per_million.max(price.output_per_million);
                dearest = dearest.max(per_million / 1e6);
            }
            Err(DbError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    job.purse.expect(dearest);
    refill(desk, job).await
}

/// Leases the next slice of a job's budget; false when this worker may spend nothing of it.
async fn refill(desk: &Desk, job: &JobRun) -> Result<bool, DbError> {
    let (db, worker) = (&desk.shared.db, desk.shared.worker);
    let question = job.purse.ask(Instant::now());
    let asked = budgets::refill(db, job.id, worker, question.under_way, question.want);
    let slice = in_time(asked).await?;
    let now = Instant::now();
    job.purse.fill(&question, slice, now);
    Ok(job.purse.is_open(now))
}

/// Keeps the purses of the desk's jobs filled until `stop`, then gives back what they hold.
pub(crate) async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let mut known: BTreeMap<Uuid, Arc<JobRun>> = BTreeMap::new();
    loop {
        let mut pause = IDLE_INTERVAL;
        for job in desk.jobs_at_work() {
            if job.purse.due_in(Instant::now()).is_zero() {
                look_after(&desk, &job).await;
            }
            pause = pause.min(job.purse.due_in(Instant::now()));
            known.insert(job.id, job);
        }
        let gone = known.extract_if(.., |_, job| !desk.is_at_work(job.id));
        for (_, job) in gone.collect::<Vec<_>>() {
            give_back(&desk, &job).await;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause.max(BUDGET_REST)) => {}
            () = desk.purses_low.notified() => tokio::time::sleep(BUDGET_REST).await,
        }
    }
    for job in known.into_values() {
        give_back(&desk, &job).await;
    }
}

async fn look_after(desk: &Arc<Desk>, job: &Arc<JobRun>) {
    let refilled = {
        let _asking = job.purse.asking.lock().await;
        refill(desk, job).await
    };
    match refilled {
        Ok(true) => desk.announce(),
        // Others may spend what is left, or nothing is: this worker does not keep them from it.
        Ok(false) => desk.hand_back_job(job.id).await,
        Err(DbError::NotFound(_)) => {}
        Err(error) => tracing::warn!(%error, job = %job.id, "cannot lease a slice of a budget"),
    }
}

async fn give_back(desk: &Desk, job: &JobRun) {
    let _asking = job.purse.asking.lock().await;
    // Claimed again in the meantime.
    if desk.is_at_work(job.id) {
        return;
    }
    job.purse.close();
    let given = budgets::give_back(&desk.shared.db, job.id, desk.shared.worker);
    if let Err(error) = in_time(given).await {
        tracing::debug!(%error, job = %job.id, "a slice of a budget runs out by itself");
    }
}
