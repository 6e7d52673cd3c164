//! An endpoint that is down is left alone, but for one request now and then.

use std::time::Duration;

use super::figures::EndpointHealth;

/// Failures in a row that say that an endpoint is down.
pub(super) const FAILURES_MAX: u32 = 8;
/// First pause before a probe; each further one is twice as long.
const PAUSE_MILLIS: u64 = 1_000;
/// Longest pause where nothing answers.
const PAUSE_SECONDS_MAX: u64 = 30;
/// Longest pause where something answers: it may be the prompts that are at fault, and each of
/// them has its attempts to use up.
const REACHED_PAUSE_SECONDS_MAX: u64 = 5;

/// Closed until failures in a row open it; then half open for one probe after each pause.
#[derive(Debug)]
pub(super) enum Breaker {
    Closed { failures: u32 },
    Open { until: Duration, pauses: u32 },
    HalfOpen { pauses: u32 },
}

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Pass,
    /// Not before this time, or before the probe's end.
    Wait(Option<Duration>),
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }

    pub(super) fn health(&self) -> EndpointHealth {
        match self {
            Self::Closed { .. } => EndpointHealth::Closed,
            Self::Open { .. } => EndpointHealth::Open,
            Self::HalfOpen { .. } => EndpointHealth::HalfOpen,
        }
    }

    pub(super) fn gate(&self, now: Duration) -> Gate {
        match *self {
            Self::Closed { .. } => Gate::Pass,
            Self::Open { until, .. } if now >= until => Gate::Pass,
            Self::Open { until, .. } => Gate::Wait(Some(until)),
            Self::HalfOpen { .. } => Gate::Wait(None),
        }
    }

    /// A request passed the gate; true where it is the probe.
    pub(super) fn enter(&mut self) -> bool {
        let Self::Open { pauses, .. } = *self else { return false };
        *self = Self::HalfOpen { pauses };
        true
    }

    /// Something sensible came; true where the endpoint was down.
    pub(super) fn succeeded(&mut self) -> bool {
        let was_down = !self.is_closed();
        *self = Self::default();
        was_down
    }

    /// A request failed; `draw` is in 0..1.
    pub(super) fn failed(&mut self, now: Duration, is_probe: bool, is_reached: bool, draw: f64) {
        let pauses = match *self {
            Self::Closed { failures } if failures + 1 < FAILURES_MAX => {
                *self = Self::Closed { failures: failures + 1 };
                return;
            }
            Self::Closed { .. } => 0,
            Self::HalfOpen { pauses } if is_probe => pauses.saturating_add(1),
            // Sent before it opened: nothing new.
            Self::Open { .. } | Self::HalfOpen { .. } => return,
        };
        let most = if is_reached { REACHED_PAUSE_SECONDS_MAX } else { PAUSE_SECONDS_MAX };
        let pause = Duration::from_millis(PAUSE_MILLIS)
            .saturating_mul(1 << pauses.min(16))
            .min(Duration::from_secs(most))
            .mul_f64(0.75 + 0.5 * draw.clamp(0.0, 1.0));
        *self = Self::Open { until: now.saturating_add(pause), pauses };
    }

    /// The probe ended without a word: the next request is one.
    pub(super) fn probe_lost(&mut self, now: Duration) {
        if let Self::HalfOpen { pauses } = *self {
            *self = Self::Open { until: now, pauses };
        }
    }
}
