//! Leasing prompts for an endpoint.

use std::sync::Arc;

use hornbook_db::chunks::{self, Lease};
use hornbook_db::documents::{self, Bill};
use hornbook_db::{DbError, jobs};
use hornbook_types::Slug;
use hornbook_types::limits::CHUNK_KILLER_DEATHS;
use tokio::time::Instant;

use super::Desk;
use crate::generate::chunk::Chunk;
use crate::generate::held::Held;
use crate::generate::job::JobFault;
use crate::generate::{budget, prompt, seeds};

impl Desk {
    /// Leases about so many prompts that `endpoint` may serve; false when there are none.
    ///
    /// In a task of its own: an endpoint's loop may be dropped at any moment, and a lease that was
    /// given but not put on the desk would be nobody's until it ran out.
    pub(crate) async fn claim_apart(
        self: Arc<Self>,
        endpoint: Slug,
        prompts: u64,
    ) -> Result<bool, DbError> {
        let desk = Arc::clone(&self);
        let claiming = self.claims.spawn(async move { desk.claim(&endpoint, prompts).await });
        match claiming.await {
            Ok(claimed) => claimed,
            Err(error) => Err(DbError::Other(format!("leasing prompts ended badly: {error}"))),
        }
    }

    /// Waits until no lease is being taken any more; call it when no endpoint's loop is left.
    pub(crate) async fn settle(&self) {
        self.claims.close();
        self.claims.wait().await;
    }

    async fn claim(&self, endpoint: &Slug, prompts: u64) -> Result<bool, DbError> {
        let shared = &self.shared;
        let names = [endpoint.to_string()];
        // From before the question: the database counts from when it reads it.
        let held = Held::since(Instant::now());
        let Some(lease) = chunks::claim(&shared.db, shared.worker, &names, prompts).await? else {
            return Ok(false);
        };
        let job = match self.jobs.get(&shared.db, lease.key.job_id).await {
            Ok(job) => job,
            Err(JobFault::Database(error)) => {
                chunks::release(&shared.db, lease.key.token).await?;
                return Err(error);
            }
            Err(JobFault::Spec(message)) => {
                jobs::fail(&shared.db, lease.key.job_id, "bad_spec", &message).await?;
                chunks::release(&shared.db, lease.key.token).await?;
                return Ok(false);
            }
        };
        match budget::open(self, &job).await {
            Ok(true) => {}
            outcome => {
                chunks::release(&shared.db, lease.key.token).await?;
                return outcome;
            }
        }
        let (todo, accepted) = match self.todo(&lease).await {
            Ok(found) => found,
            Err(error) => {
                chunks::release(&shared.db, lease.key.token).await?;
                return Err(error);
            }
        };
        let chunk = Arc::new(Chunk::new(lease, held, job, todo, &accepted));
        if chunk.lease.deaths >= CHUNK_KILLER_DEATHS {
            self.blame_first(&chunk).await?;
        }
        {
            let mut chunks = self.lock();
            if chunks.is_empty() {
                self.pace.resume();
            }
            chunks.push(Arc::clone(&chunk));
        }
        self.announce();
        self.purses_low.notify_one();
        self.end_if_over(&chunk).await;
        Ok(true)
    }

    /// Prompts without a document, and those whose documents matter to a quota.
    async fn todo(&self, lease: &Lease) -> Result<(Vec<u64>, Vec<u64>), DbError> {
        let (db, job) = (&self.shared.db, lease.key.job_id);
        if lease.fresh {
            return Ok(((lease.lo..lease.hi).collect(), Vec::new()));
        }
        let accepted = match lease.line_accepted {
            Some(_) => chunks::accepted_seqs(db, job, lease.lo, lease.hi).await?,
            None => Vec::new(),
        };
        Ok((chunks::missing(db, job, lease.lo, lease.hi).await?, accepted))
    }

    /// Owner after owner died on the first missing prompt of this chunk: it fails, by name.
    async fn blame_first(&self, chunk: &Arc<Chunk>) -> Result<(), DbError> {
        let seqs = chunk.begin_batch(false, 0);
        if seqs.is_empty() {
            return Ok(());
        }
        chunk.render_failed();
        let message = format!("{} workers died while they had this prompt", chunk.lease.deaths);
        let blamed = async {
            let found = seeds::of(&self.shared.db, &chunk.job, &seqs).await?;
            let (planned, seed) = found.into_iter().next().ok_or(DbError::NotFound("prompt"))?;
            let seed_data = seed.ok_or(DbError::NotFound("seed"))?.data;
            let document = prompt::failed(&chunk.job, planned, seed_data, "worker_lost", &message);
            let key = &chunk.lease.key;
            documents::commit_group_splitting(&self.shared.db, key, &[document], &[Bill::default()])
                .await
        }
        .await;
        chunk.ended(1, blamed.is_ok());
        if let Err(error) = blamed {
            chunks::release(&self.shared.db, chunk.lease.key.token).await?;
            return Err(error);
        }
        Ok(())
    }
}
