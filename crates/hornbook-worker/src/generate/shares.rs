//! This worker's shares of endpoints' limits, so that all workers together keep to them.
//!
//! The database divides each limit among the workers that have a use for the endpoint, and this
//! worker's limiters run at what it got. A share lasts as long as a lease and is renewed with the
//! heartbeat; without renewal this worker stops by its own clock, before the database gives the
//! share to others.

mod entry;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hornbook_db::shares::{self, Demand, Share, Use};
use hornbook_db::{Db, DbError};
use hornbook_types::{EndpointLimits, Slug};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use self::entry::Entry;
use super::desk::Desk;
use super::puller::Live;
use crate::limits::SHARE_VALID;

/// What this worker may use of each endpoint that names limits.
pub(crate) struct Shares {
    state: Mutex<State>,
    /// Held during a call: the database wants one at a time.
    calling: tokio::sync::Mutex<()>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Slug, Entry>,
    /// When the shares end unless they are renewed.
    until: Option<Instant>,
}

impl Desk {
    /// Renews this worker's shares; true when some got smaller, which the database wants to hear soon.
    pub(crate) async fn renew_shares(&self) -> Result<bool, DbError> {
        let shared = &self.shared;
        let answer = |name: &Slug| self.most_tokens_for(name);
        self.shares.renew(&shared.db, shared.worker, &shared.name, answer).await
    }
}

impl Shares {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            calling: tokio::sync::Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// A loop of the endpoint begins; it is admitted nothing before the next renewal, unless an
    /// earlier loop left a share.
    pub(crate) fn enter(&self, live: &Arc<Live>, limits: &EndpointLimits) {
        self.lock().enter(live, limits, Instant::now());
    }

    /// The endpoint's loop ended; what it has under way keeps the share until it is done.
    pub(crate) fn leave(&self, name: &Slug) {
        if let Some(entry) = self.lock().entries.get_mut(name) {
            entry.leave();
        }
    }

    /// True when prompts may be claimed and sent for the endpoint.
    pub(crate) fn admits(&self, name: &Slug) -> bool {
        self.lock().admits(name, Instant::now())
    }

    /// True when an endpoint with a loop has no share, or one in which its largest prompt does not fit.
    pub(crate) fn lacks_some(&self) -> bool {
        self.lock().entries.values().any(Entry::lacks_share)
    }

    /// A prompt of about so many tokens, answer included, waits to be sent to the endpoint.
    pub(crate) fn saw(&self, name: &Slug, tokens: u64) {
        self.lock().saw(name, tokens);
    }

    /// Renews every share; `answer` gives the most tokens that an endpoint may answer a prompt with,
    /// where there is a prompt. True when some share got smaller.
    async fn renew(
        &self,
        db: &Db,
        worker: Uuid,
        worker_name: &str,
        answer: impl Fn(&Slug) -> Option<u64>,
    ) -> Result<bool, DbError> {
        let _calling = self.calling.lock().await;
        let uses = {
            let mut state = self.lock();
            if state.entries.is_empty() {
                state.until = None;
                return Ok(false);
            }
            state.uses(answer, Instant::now())
        };
        // From before the question: the database counts from when it reads it.
        let until = Instant::now() + SHARE_VALID;
        let granted = shares::lease(db, worker, worker_name, &uses).await?;
        let granted: BTreeMap<Slug, Share> = granted.into_iter().collect();
        let shrank = self.lock().obey(&uses, &granted, until, Instant::now());
        self.changed.send_modify(|version| *version += 1);
        Ok(shrank)
    }

    /// Ends the shares whenever they were not renewed in time; never returns.
    pub(crate) async fn lapse_when_due(&self) {
        let mut changes = self.changed.subscribe();
        loop {
            changes.borrow_and_update();
            let until = self.lock().until;
            match until {
                Some(until) => tokio::select! {
                    () = tokio::time::sleep_until(until) => self.lock().lapse(Instant::now()),
                    _ = changes.changed() => {}
                },
                None => {
                    // Whoever sends news lives as long as this borrow.
                    let _ = changes.changed().await;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, live: &Arc<Live>, limits: &EndpointLimits, now: Instant) {
        let named = [limits.in_flight, limits.requests_per_minute, limits.tokens_per_minute];
        // The engine of this process is nobody else's.
        if live.backend.limiter().is_none() || named == [None; 3] {
            return;
        }
        let until = self.until;
        let entry = self.entries.entry(live.name.clone()).or_insert_with(Entry::new);
        entry.ceiling = limits.in_flight;
        entry.whole_tokens = limits.tokens_per_minute;
        entry.leave();
        entry.live = Some(Arc::clone(live));
        entry.apply(until, now);
    }

    fn saw(&mut self, name: &Slug, tokens: u64) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.largest = entry.largest.max(tokens);
        }
    }

    fn admits(&self, name: &Slug, now: Instant) -> bool {
        match self.entries.get(name) {
            Some(entry) => entry.held.admits() && self.until > Some(now),
            // It names no limits.
            None => true,
        }
    }

    /// Ends the shares that were not renewed in time.
    fn lapse(&mut self, now: Instant) {
        if self.until.is_none_or(|until| until > now) {
            return;
        }
        self.until = None;
        tracing::warn!("shares of endpoints' limits were not renewed in time; nothing is sent");
        for entry in self.entries.values_mut() {
            entry.held = Share::NONE;
            entry.apply(None, now);
        }
    }

    fn uses(&mut self, answer: impl Fn(&Slug) -> Option<u64>, now: Instant) -> Vec<Use> {
        let entries = self.entries.iter_mut();
        entries.map(|(name, entry)| entry.word(name, answer(name), now)).collect()
    }

    /// Takes what was granted, unless it came too late; true when some share got smaller.
    fn obey(
        &mut self,
        uses: &[Use],
        granted: &BTreeMap<Slug, Share>,
        until: Instant,
        now: Instant,
    ) -> bool {
        let is_late = until <= now;
        if !is_late {
            self.until = Some(until);
        }
        let mut shrank = false;
        for asked in uses {
            let Some(entry) = self.entries.get_mut(&asked.endpoint) else { continue };
            if asked.demand == Demand::Leaving && entry.live.is_none() {
                self.entries.remove(&asked.endpoint);
                continue;
            }
            if is_late {
                continue;
            }
            let share = granted.get(&asked.endpoint).copied().unwrap_or(Share::UNLIMITED);
            shrank |= is_smaller(&share, &entry.held);
            if share.admits() != entry.held.admits() {
                tracing::info!(endpoint = %asked.endpoint, ?share, "share of the endpoint's limits");
            }
            entry.held = share;
            entry.apply(Some(until), now);
        }
        shrank
    }
}

/// True when any part is less than it was.
fn is_smaller(now: &Share, before: &Share) -> bool {
    let less = |now: Option<u32>, before: Option<u32>| match (now, before) {
        (Some(now), Some(before)) => now < before,
        (Some(_), None) => true,
        (None, _) => false,
    };
    less(now.in_flight, before.in_flight)
        || less(now.requests_per_minute, before.requests_per_minute)
        || less(now.tokens_per_minute, before.tokens_per_minute)
}

#[cfg(test)]
mod tests;
