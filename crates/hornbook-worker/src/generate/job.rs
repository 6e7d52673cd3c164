//! A job as a worker needs it: compiled once, shared by its chunks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hornbook_db::{Db, DbError, jobs};
use hornbook_prompt::Prompter;
use hornbook_types::PinnedJobSpec;
use tokio::sync::Notify;
use uuid::Uuid;

use super::purse::Purse;
use crate::limits::{JOBS_READY, RENDER_BYTES, RENDER_PROMPTS_FIRST, RENDER_PROMPTS_MAX};

/// A job whose prompts can be made.
pub(crate) struct JobRun {
    pub(crate) id: Uuid,
    pub(crate) spec: PinnedJobSpec,
    pub(crate) prompter: Prompter,
    /// What this worker may spend on it.
    pub(crate) purse: Purse,
    /// About how many bytes one of its prompts takes with its seed; 0 while nobody knows.
    prompt_bytes: AtomicUsize,
}

impl JobRun {
    /// How many prompts should be rendered in one go.
    pub(crate) fn batch_prompts(&self) -> usize {
        match self.prompt_bytes.load(Ordering::Relaxed) {
            0 => RENDER_PROMPTS_FIRST,
            bytes => (RENDER_BYTES / bytes).clamp(1, RENDER_PROMPTS_MAX),
        }
    }

    /// So many prompts were rendered, of so many bytes together with their seeds.
    pub(crate) fn rendered(&self, prompts: usize, bytes: usize) {
        if let Some(mean) = bytes.checked_div(prompts) {
            self.prompt_bytes.store(mean, Ordering::Relaxed);
        }
    }
}

/// Compiled jobs, the most recently used last.
pub(crate) struct JobCache {
    ready: tokio::sync::Mutex<Vec<Arc<JobRun>>>,
    /// Told when a purse runs low.
    purses_low: Arc<Notify>,
}

/// Why a job cannot be run by anybody.
pub(crate) enum JobFault {
    /// The database's trouble.
    Database(DbError),
    /// The stored spec makes no prompts; says why.
    Spec(String),
}

impl JobCache {
    /// An empty cache, whose jobs' purses tell when they run low.
    pub(crate) fn new(purses_low: Arc<Notify>) -> Self {
        Self { ready: tokio::sync::Mutex::default(), purses_low }
    }

    /// The job of that id, from the cache or compiled now.
    pub(crate) async fn get(&self, db: &Db, id: Uuid) -> Result<Arc<JobRun>, JobFault> {
        let mut ready = self.ready.lock().await;
        if let Some(at) = ready.iter().position(|job| job.id == id) {
            let job = ready.remove(at);
            ready.push(Arc::clone(&job));
            return Ok(job);
        }
        let spec = jobs::spec(db, id).await.map_err(JobFault::Database)?;
        let prompter =
            Prompter::new(&spec).map_err(|invalid| JobFault::Spec(invalid.to_string()))?;
        let purse = Purse::new(&spec, Arc::clone(&self.purses_low));
        let job = Arc::new(JobRun { id, spec, prompter, purse, prompt_bytes: AtomicUsize::new(0) });
        // One at work stays, however many there are: a job has one purse.
        let idle = ready.iter().position(|job| Arc::strong_count(job) == 1);
        if let Some(idle) = idle.filter(|_| ready.len() >= JOBS_READY) {
            ready.remove(idle);
        }
        ready.push(Arc::clone(&job));
        Ok(job)
    }
}
