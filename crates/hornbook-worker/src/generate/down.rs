//! Jobs all of whose endpoints are down: no prompt fails for that, so somebody has to say it.
//!
//! It may be this worker alone that does not reach them. After a while it hands its prompts back to those
//! who do, and takes some again later to see whether it does by then.

use std::collections::BTreeMap;

use hornbook_db::events;
use uuid::Uuid;

use super::desk::Desk;
use crate::limits::HAND_BACK_LOOKS;

/// Code of the warning.
const CODE: &str = "no_endpoint_answers";
/// Looks in a row at which nothing answered: a server that starts again is back sooner.
const LOOKS: u32 = 3;

/// How long jobs have stood still.
#[derive(Default)]
pub(super) struct Down {
    /// Looks in a row, by job.
    looks: BTreeMap<Uuid, u32>,
}

impl Down {
    /// Warns jobs none of whose endpoints has answered for a while, each once until one does, and hands
    /// them back after a longer one.
    pub(super) async fn look(&mut self, desk: &Desk) {
        let standing = desk.standing_still();
        self.looks.retain(|job, _| standing.contains_key(job));
        for (job, why) in standing {
            let looks = self.looks.entry(job).or_default();
            *looks = looks.saturating_add(1);
            if *looks >= HAND_BACK_LOOKS {
                tracing::warn!(%job, why, "prompts go back to those who may have a way to an endpoint");
                desk.rest_endpoints_of(job);
                desk.hand_back_job(job).await;
            }
            if *looks != LOOKS {
                continue;
            }
            let message = format!("waiting for an endpoint: {why}");
            tracing::warn!(%job, message, "job stands still");
            if let Err(error) = events::warn_once(&desk.shared.db, job, CODE, &message).await {
                tracing::warn!(%error, %job, "cannot note that");
            }
        }
    }
}
