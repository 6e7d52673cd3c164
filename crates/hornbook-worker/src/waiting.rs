//! Jobs that wait for an endpoint: they are told so, not failed.

use std::collections::BTreeMap;

use hornbook_db::endpoints::{self, Endpoint};
use hornbook_db::jobs::{self, Job};
use hornbook_db::{Db, DbError, events};
use hornbook_types::{EndpointState, JobState, Slug};

/// Code of the warning.
const CODE: &str = "no_endpoint_ready";
/// Jobs or endpoints looked at in one round.
const PAGE: u32 = 200;

/// Warns jobs none of whose endpoints takes prompts, each once until it gets on.
pub(crate) async fn warn(db: &Db) -> Result<(), DbError> {
    let mut open = jobs::list(db, None, Some(JobState::Queued), PAGE).await?;
    open.extend(jobs::list(db, None, Some(JobState::Running), PAGE).await?);
    if open.is_empty() {
        return Ok(());
    }
    let known = all_endpoints(db).await?;
    for job in open {
        if let Some(message) = why_waiting(&job, &known) {
            events::warn_once(db, job.id, CODE, &message).await?;
        }
    }
    Ok(())
}

async fn all_endpoints(db: &Db) -> Result<BTreeMap<String, Endpoint>, DbError> {
    let mut known = BTreeMap::new();
    let mut after: Option<Slug> = None;
    loop {
        let page = endpoints::list(db, after.as_ref(), PAGE).await?;
        after = page.last().map(|endpoint| endpoint.name.clone());
        let is_last = page.len() < PAGE as usize;
        known.extend(page.into_iter().map(|endpoint| (endpoint.name.to_string(), endpoint)));
        if is_last {
            return Ok(known);
        }
    }
}

/// What is the matter with each endpoint of a job; `None` when one of them takes prompts.
fn why_waiting(job: &Job, known: &BTreeMap<String, Endpoint>) -> Option<String> {
    let mut reasons = Vec::new();
    for name in &job.endpoints {
        match known.get(name) {
            Some(endpoint) if endpoint.state == EndpointState::Ready => return None,
            Some(endpoint) => {
                let state = endpoint.state.as_str();
                reasons.push(match &endpoint.message {
                    Some(message) => format!("{name} is {state} ({message})"),
                    None => format!("{name} is {state}"),
                });
            }
            None => reasons.push(format!("{name} does not exist any more")),
        }
    }
    Some(format!("waiting for an endpoint: {}", reasons.join("; ")))
}
