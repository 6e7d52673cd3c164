//! One endpoint's loop: leave to send, then the next prompt.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hornbook_inference::{Limiter, SharedBackend};
use hornbook_types::limits::CHUNK_PROMPTS_MIN;
use hornbook_types::{EndpointPrice, Slug, Usage};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::chunk::Chunk;
use super::commit::Committer;
use super::desk::Desk;
use super::prompt::{self, Task};
use crate::limits::{ADMITTED_WAIT, DATABASE_RETRY, ENDPOINT_REST, IDLE_INTERVAL};

/// An endpoint that can be asked.
pub(crate) struct Live {
    pub(crate) name: Slug,
    pub(crate) is_local: bool,
    pub(crate) price: EndpointPrice,
    pub(crate) backend: SharedBackend,
    /// What admits requests to it: its own, or as many at once as it has slots.
    pub(crate) limiter: Arc<Limiter>,
    /// Prompts that it answered so far.
    answered: AtomicU64,
    /// Until when nothing is leased for it unless it answers.
    rests_until: Mutex<Option<Instant>>,
}

impl Live {
    /// An endpoint behind its backend's limiter.
    pub(crate) fn new(
        name: Slug,
        is_local: bool,
        price: EndpointPrice,
        backend: SharedBackend,
    ) -> Self {
        let limiter = backend.limiter().unwrap_or_else(|| Limiter::fixed(backend.slots().max(1)));
        Self {
            name,
            is_local,
            price,
            backend,
            limiter,
            answered: AtomicU64::new(0),
            rests_until: Mutex::default(),
        }
    }

    /// It answered a prompt.
    pub(crate) fn has_answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Prompts that it answered so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// What so many tokens cost there, in US dollars.
    pub(crate) fn usd(&self, usage: &Usage) -> f64 {
        (usage.prompt_tokens as f64 * self.price.input_per_million
            + usage.completion_tokens as f64 * self.price.output_per_million)
            / 1e6
    }

    /// Nothing is leased for it for a while, unless it answers.
    pub(crate) fn rest(&self) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Instant::now() + ENDPOINT_REST);
    }

    /// How long that lasts.
    fn rests_for(&self) -> Option<Duration> {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (!left.is_zero() && self.limiter.is_down()).then_some(left)
    }
}

/// Pulls prompts until `stop`; what is in flight then goes on by itself.
pub(crate) async fn run(
    desk: Arc<Desk>,
    committer: Committer,
    live: Arc<Live>,
    stop: CancellationToken,
) {
    let hungry = Notify::new();
    let supply = keep_supplied(&desk, &live, &hungry);
    let puller = Puller { desk: &desk, committer: &committer, live: &live, hungry: &hungry };
    let pull = puller.pull();
    tokio::select! {
        () = stop.cancelled() => {}
        () = supply => {}
        () = pull => {}
    }
}

struct Puller<'a> {
    desk: &'a Arc<Desk>,
    committer: &'a Committer,
    live: &'a Arc<Live>,
    hungry: &'a Notify,
}

impl Puller<'_> {
    async fn pull(&self) {
        let mut changes = self.desk.changes();
        loop {
            // While documents wait for the database, more of them would only be lost with the process.
            self.committer.room().await;
            // Leave is asked for with a prompt in sight, and no prompt is held while it is awaited:
            // an endpoint that may not send keeps nothing from the others.
            let tokens = self.next(&mut changes, |desk, name| desk.peek(name)).await;
            self.desk.shares.saw(&self.live.name, tokens);
            let mut admission = self.live.limiter.admit(tokens).await;
            let taking = self.next(&mut changes, |desk, name| desk.take(name));
            let Ok((chunk, prompt)) = tokio::time::timeout(ADMITTED_WAIT, taking).await else {
                admission.give_back();
                continue;
            };
            self.hungry.notify_one();
            admission.reestimate(prompt.tokens(&chunk.job));
            tokio::spawn(prompt::run(self.task(chunk), prompt, admission));
        }
    }

    /// Looks again and again until there is something.
    async fn next<T>(
        &self,
        changes: &mut watch::Receiver<u64>,
        look: impl Fn(&Desk, &Slug) -> Option<T>,
    ) -> T {
        loop {
            changes.borrow_and_update();
            if let Some(found) = look(self.desk, &self.live.name) {
                return found;
            }
            self.hungry.notify_one();
            if changes.changed().await.is_err() {
                // The desk outlives its pullers.
                std::future::pending::<()>().await;
            }
        }
    }

    fn task(&self, chunk: Arc<Chunk>) -> Task {
        Task {
            desk: Arc::clone(self.desk),
            committer: self.committer.clone(),
            live: Arc::clone(self.live),
            chunk,
        }
    }
}

/// Leases the next chunk whenever fewer prompts lie unsent than the endpoint may have under way.
async fn keep_supplied(desk: &Arc<Desk>, live: &Live, hungry: &Notify) {
    let mut news = desk.shared.notifier.subscribe();
    let mut window = live.limiter.watch_window();
    loop {
        let slots = *window.borrow_and_update();
        if slots == 0 || desk.unsent_for(&live.name) >= desk.pace.unsent_prompts(slots) {
            tokio::select! {
                () = hungry.notified() => {}
                Ok(()) = window.changed() => {}
            }
            continue;
        }
        if let Some(rest) = live.rests_for() {
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                Ok(()) = window.changed() => {}
            }
            continue;
        }
        let prompts = match live.limiter.is_down() {
            // They are for probes; more of them would only be kept from others.
            true => CHUNK_PROMPTS_MIN,
            false => desk.pace.chunk_prompts(slots),
        };
        match Arc::clone(desk).claim_apart(live.name.clone(), prompts).await {
            Ok(true) => {}
            Ok(false) => {
                news.changed(None, IDLE_INTERVAL).await;
            }
            Err(error) => {
                tracing::warn!(%error, endpoint = %live.name, "cannot lease prompts");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
        }
    }
}
