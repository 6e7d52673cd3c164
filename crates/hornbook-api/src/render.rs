//! Rendering of templates that users wrote, off the async threads and with a deadline.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::sync::Semaphore;

use crate::Problem;
use crate::limits::{RENDER_SECONDS, RENDERS_AT_ONCE};

/// Runs a bounded number of renders at once.
///
/// A render that outlives its deadline keeps its place until it ends, so that hostile
/// templates can never hold more than `RENDERS_AT_ONCE` threads.
#[derive(Clone, Debug)]
pub struct RenderPool {
    places: Arc<Semaphore>,
}

impl Default for RenderPool {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(RENDERS_AT_ONCE)) }
    }
}

impl RenderPool {
    /// Places that are free.
    pub(crate) fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// Runs `work` on the blocking pool; 429 when all places are taken for too long, 422 when
    /// it misses the deadline.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let limit = Duration::from_secs(RENDER_SECONDS);
        let place = match tokio::time::timeout(limit, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(closed)) => return Err(Problem::internal(&closed)),
            Err(_) => {
                return Err(Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "busy",
                    "too many templates are being rendered",
                )
                .header(RETRY_AFTER, "5"));
            }
        };
        let task = tokio::task::spawn_blocking(move || {
            let value = work();
            drop(place);
            value
        });
        match tokio::time::timeout(limit, task).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panicked)) => Err(Problem::internal(&panicked)),
            Err(_) => Err(Problem::field(
                "/body",
                format!("rendering takes longer than {RENDER_SECONDS} seconds"),
            )),
        }
    }
}
