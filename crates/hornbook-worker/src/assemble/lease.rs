//! Keeping the lease of an assembly while it is done.

use std::sync::Arc;
use std::time::Duration;

use hornbook_db::assembly::{self, AssemblyKey};
use hornbook_db::corpora::mixed::{self, MixedKey};
use hornbook_db::{Db, DbError};
use hornbook_types::limits::HEARTBEAT_SECONDS;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::limits::DATABASE_RETRY;
use crate::shared::Shared;

/// The right to assemble something.
#[derive(Clone, Copy)]
pub(super) enum Lease {
    /// A job's corpus.
    Job(AssemblyKey),
    /// A mixed corpus.
    Mixed(MixedKey),
}

impl Lease {
    fn of(&self) -> Uuid {
        match self {
            Self::Job(key) => key.job_id,
            Self::Mixed(key) => key.id,
        }
    }

    async fn beat(&self, db: &Db) -> Result<(), DbError> {
        match self {
            Self::Job(key) => assembly::heartbeat(db, key).await,
            Self::Mixed(key) => mixed::heartbeat(db, key).await,
        }
    }
}

/// A heart that beats until it is told to end.
pub(super) struct Heart {
    beating: CancellationToken,
    task: JoinHandle<()>,
}

impl Heart {
    /// Lets it beat no more.
    pub(super) async fn end(self) {
        self.beating.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the heartbeat of an assembly ended badly");
        }
    }
}

/// Keeps `lease` from now on; a lost one cancels `halt`.
pub(super) fn keep(shared: &Arc<Shared>, lease: Lease, halt: &CancellationToken) -> Heart {
    let beating = halt.child_token();
    let task = tokio::spawn(beat(Arc::clone(shared), lease, halt.clone(), beating.clone()));
    Heart { beating, task }
}

async fn beat(shared: Arc<Shared>, lease: Lease, halt: CancellationToken, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match lease.beat(&shared.db).await {
            Ok(()) => Duration::from_secs(HEARTBEAT_SECONDS),
            Err(DbError::Fenced) => {
                tracing::warn!(of = %lease.of(), "the lease of an assembly was lost");
                halt.cancel();
                return;
            }
            Err(error) => {
                tracing::warn!(%error, of = %lease.of(), "no heartbeat for an assembly");
                DATABASE_RETRY
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
