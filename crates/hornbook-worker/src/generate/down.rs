//! Jobs all of whose endpoints are down: no prompt fails for that, so somebody has to say it.

use std::collections::BTreeMap;

use hornbook_db::events;
use uuid::Uuid;

use super::desk::Desk;

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
    /// Warns jobs none of whose endpoints has answered for a while, each once until one does.
    pub(super) async fn look(&mut self, desk: &Desk) {
        let standing = desk.standing_still();
        self.looks.retain(|job, _| standing.contains_key(job));
        for (job, why) in standing {
            let looks = self.looks.entry(job).or_default();
            *looks = looks.saturating_add(1);
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
