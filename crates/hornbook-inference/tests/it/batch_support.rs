//! A journal in memory, days in seconds, and backends on them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all, ready};
use hornbook_inference::batch::{OpenBatch, RequestId};
use hornbook_inference::http::{Client, GuardPolicy};
use hornbook_inference::{
    Ambient, Backend, BatchBackend, BatchJournal, Completion, CompletionError, OpenAiConfig, Timer,
    preset,
};
use hornbook_types::{EndpointKind, SystemClock};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{config, request};

/// Longer than any of this takes.
const WITHIN: Duration = Duration::from_secs(60);
/// How much faster time passes for [`fast`] backends.
pub(crate) const SPEED: u32 = 1_000;

/// A batch as it is noted.
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) batch_id: Option<String>,
    requests: Vec<RequestId>,
    begun_at: Instant,
    pub(crate) claimed_at: Option<Instant>,
}

/// A journal that outlives the backends that write it; its time runs at [`SPEED`].
#[derive(Default)]
pub(crate) struct MemoryJournal {
    rows: Mutex<Vec<Row>>,
    /// True: the provider's names never get here, as when their hearer dies at once.
    is_deaf: bool,
}

impl MemoryJournal {
    pub(crate) fn deaf(is_deaf: bool) -> Self {
        Self { rows: Mutex::default(), is_deaf }
    }

    pub(crate) fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap()
    }
}

impl BatchJournal for MemoryJournal {
    fn begin<'a>(
        &'a self,
        key: &'a str,
        requests: &'a [RequestId],
    ) -> BoxFuture<'a, Result<(), String>> {
        let row = Row {
            key: key.into(),
            batch_id: None,
            requests: requests.into(),
            begun_at: Instant::now(),
            claimed_at: None,
        };
        self.rows().insert(0, row);
        Box::pin(ready(Ok(())))
    }

    fn claim<'a>(
        &'a self,
        key: &'a str,
        passed: &'a [String],
    ) -> BoxFuture<'a, Result<bool, String>> {
        let mut rows = self.rows();
        let Some(at) = rows.iter().position(|row| row.key == key) else {
            return Box::pin(ready(Ok(false)));
        };
        // What stands behind it is older.
        let is_other = |(place, row): (usize, &Row)| {
            place != at
                && !passed.contains(&row.key)
                && (place > at || row.claimed_at.is_some() || row.batch_id.is_some())
                && row.requests.iter().any(|id| rows[at].requests.contains(id))
        };
        let is_free = !rows.iter().enumerate().any(is_other);
        if is_free {
            rows[at].claimed_at = Some(Instant::now());
        }
        Box::pin(ready(Ok(is_free)))
    }

    fn created<'a>(&'a self, key: &'a str, batch_id: &'a str) -> BoxFuture<'a, Result<(), String>> {
        if !self.is_deaf {
            let mut rows = self.rows();
            let row = rows.iter_mut().find(|row| row.key == key).expect("a batch that was noted");
            row.batch_id = Some(batch_id.into());
        }
        Box::pin(ready(Ok(())))
    }

    fn give_up<'a>(
        &'a self,
        key: &'a str,
        uploading: Duration,
        making: Duration,
    ) -> BoxFuture<'a, Result<bool, String>> {
        let mut rows = self.rows();
        let before = rows.len();
        rows.retain(|row| {
            let (from, wait) = match row.claimed_at {
                Some(at) => (at, making),
                None => (row.begun_at, uploading),
            };
            let is_due = row.batch_id.is_none() && from.elapsed() * SPEED >= wait;
            row.key != key || !is_due
        });
        Box::pin(ready(Ok(rows.len() < before)))
    }

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), String>> {
        self.rows().retain(|row| row.key != key);
        Box::pin(ready(Ok(())))
    }

    fn find<'a>(
        &'a self,
        requests: &'a [RequestId],
    ) -> BoxFuture<'a, Result<Vec<OpenBatch>, String>> {
        let rows = self.rows();
        let found = rows.iter().map(|row| OpenBatch {
            key: row.key.clone(),
            batch_id: row.batch_id.clone(),
            requests: row.requests.iter().copied().filter(|id| requests.contains(id)).collect(),
            age: row.begun_at.elapsed() * SPEED,
        });
        let found = found.filter(|batch| !batch.requests.is_empty()).collect();
        Box::pin(ready(Ok(found)))
    }
}

/// A timer on which a day is 86 seconds.
struct FastTimer(Instant);

impl Timer for FastTimer {
    fn elapsed(&self) -> Duration {
        self.0.elapsed() * SPEED
    }

    fn sleep_until(&self, at: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until((self.0 + at / SPEED).into()))
    }
}

fn batches(base_url: String) -> OpenAiConfig {
    let mut config = config(base_url);
    config.preset = preset::row(EndpointKind::OpenaiBatch, None);
    config
}

pub(crate) fn quick(base_url: String) -> OpenAiConfig {
    let mut config = batches(base_url);
    config.options.insert("batch_linger_seconds".into(), json!(0.05));
    config.options.insert("batch_poll_seconds".into(), json!(0.01));
    config.retry.base = Duration::from_millis(1);
    config
}

pub(crate) fn backend(config: OpenAiConfig, journal: &Arc<MemoryJournal>) -> BatchBackend {
    let client = Client::new(GuardPolicy::local()).unwrap();
    BatchBackend::new(config, client, Ambient::system(1), journal.clone()).unwrap()
}

/// A backend as it comes, for which time passes at [`SPEED`].
pub(crate) fn fast(base_url: String, journal: &Arc<MemoryJournal>) -> BatchBackend {
    let client = Client::new(GuardPolicy::local()).unwrap();
    let ambient = Ambient::new(Arc::new(SystemClock), Arc::new(FastTimer(Instant::now())), 1);
    BatchBackend::new(batches(base_url), client, ambient, journal.clone()).unwrap()
}

pub(crate) async fn ask(
    backend: &BatchBackend,
    prompts: usize,
) -> Vec<Result<Completion, CompletionError>> {
    let asked = (0..prompts).map(|number| backend.complete(request(&format!("prompt {number}"))));
    timeout(WITHIN, join_all(asked)).await.expect("the batch ends")
}

pub(crate) fn all_answered(outcomes: &[Result<Completion, CompletionError>]) {
    for (number, outcome) in outcomes.iter().enumerate() {
        let completion = outcome.as_ref().unwrap();
        assert_eq!(completion.text, format!("answer to prompt {number}"));
    }
}
