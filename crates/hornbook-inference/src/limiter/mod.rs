//! What an endpoint allows: requests under way, requests a minute, tokens a minute.
//!
//! All three are taken together and in order of arrival: whoever is first in the queue waits
//! for everything it needs while the others wait behind it, so a large request is never
//! overtaken for ever by small ones. The time that all this runs on is a parameter.

mod pace;
mod tokens;

use std::num::NonZeroU32;

use hornbook_types::EndpointLimits;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::SharedTimer;
use pace::Pace;
use tokens::{Charge, TokenMeter};

/// Requests under way at once where an endpoint names no limit.
pub const IN_FLIGHT_DEFAULT: u32 = 16;
/// Most requests under way at once at one endpoint.
pub const IN_FLIGHT_MAX: u32 = 65_536;
/// The window that limits per minute are kept in: a minute, and half a second for what the
/// network does to the spacing of requests on their way.
pub const WINDOW_MILLIS: u64 = 60_500;

/// The limits of one endpoint, shared by everything that calls it.
pub struct Limiter {
    queue: Mutex<()>,
    slots: Semaphore,
    in_flight: u32,
    requests: Option<Pace>,
    tokens: Option<TokenMeter>,
}

/// Leave to send one request; dropping it frees the slot.
pub struct Admission<'a> {
    limiter: &'a Limiter,
    charge: Option<Charge>,
    _slot: Option<SemaphorePermit<'a>>,
}

impl Limiter {
    /// A limiter for `limits` that tells time by `timer`; an absent rate is no limit.
    pub fn new(limits: &EndpointLimits, timer: SharedTimer) -> Self {
        let in_flight = limits.in_flight.unwrap_or(IN_FLIGHT_DEFAULT).clamp(1, IN_FLIGHT_MAX);
        let rate = |limit: Option<u32>| limit.and_then(NonZeroU32::new);
        Self {
            queue: Mutex::new(()),
            slots: Semaphore::new(in_flight as usize),
            in_flight,
            requests: rate(limits.requests_per_minute).map(|limit| Pace::new(limit, timer.clone())),
            tokens: rate(limits.tokens_per_minute).map(|limit| TokenMeter::new(limit, timer)),
        }
    }

    /// Most requests under way at once.
    pub fn in_flight(&self) -> usize {
        self.in_flight as usize
    }

    /// Waits, in order of arrival, until a request of about `tokens` may be sent.
    ///
    /// A request of more tokens than a minute allows counts as a whole minute's worth.
    pub async fn admit(&self, tokens: u64) -> Admission<'_> {
        let _first_in_queue = self.queue.lock().await;
        // The semaphore is never closed, so there is always a permit to wait for.
        let slot = self.slots.acquire().await.ok();
        let tokens = match &self.tokens {
            Some(meter) => meter.reserve(tokens).await,
            None => 0,
        };
        // Last, and entered after it, so that both windows count from the moment of sending.
        if let Some(pace) = &self.requests {
            pace.take(1).await;
        }
        let charge = self.tokens.as_ref().map(|meter| meter.enter(tokens));
        Admission { limiter: self, charge, _slot: slot }
    }
}

impl Admission<'_> {
    /// Puts the tokens that were really used in the place of the estimate.
    pub fn settle(self, tokens: u64) {
        if let (Some(meter), Some(charge)) = (&self.limiter.tokens, &self.charge) {
            meter.settle(charge, tokens);
        }
    }
}

#[cfg(test)]
mod tests;
