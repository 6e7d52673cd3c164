//! Rendering prompts off the async threads, a few at a time, each with a deadline.

use std::sync::Arc;

use hornbook_types::SeedRecord;
use tokio::sync::Semaphore;

use super::job::JobRun;
use crate::limits::{RENDER_DEADLINE, RENDERS};

/// A bounded number of threads that render.
pub(crate) struct Renders(Arc<Semaphore>);

impl Renders {
    /// None under way.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(RENDERS)))
    }

    /// Renders prompt `seq`; the error is for the document.
    ///
    /// A template that outlives the deadline keeps its thread and its permit until it ends by
    /// itself, so hostile templates can stall each other but never take all threads.
    pub(crate) async fn render(
        &self,
        job: &Arc<JobRun>,
        seq: u64,
        seed: &SeedRecord,
    ) -> Result<String, String> {
        let permit =
            Arc::clone(&self.0).acquire_owned().await.map_err(|error| error.to_string())?;
        let (job, seed) = (Arc::clone(job), seed.clone());
        let rendering = tokio::task::spawn_blocking(move || {
            let rendered = job.prompter.prompt(seq, &seed).map_err(|error| error.to_string());
            drop(permit);
            rendered
        });
        match tokio::time::timeout(RENDER_DEADLINE, rendering).await {
            Ok(Ok(rendered)) => rendered,
            Ok(Err(error)) => Err(format!("the template engine gave up: {error}")),
            Err(_) => Err(format!("not rendered within {} s", RENDER_DEADLINE.as_secs())),
        }
    }
}
