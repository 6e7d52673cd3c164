//! An endpoint that declines every prompt: not the prompts are at fault then.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::{CompletionError, ErrorClass};

/// Prompts that fail for good one after the other, with no answer between them, before the endpoint
/// is paused.
pub(crate) const FAILURES_MAX: u32 = 32;
/// A pause of this length after that many begins the count anew: somebody has looked.
const REST: Duration = Duration::from_secs(60);

/// Prompts that failed for good since the endpoint last answered one.
#[derive(Default)]
pub(crate) struct Streak {
    failures: AtomicU32,
    last_millis: AtomicU64,
}

impl Streak {
    /// The endpoint answered a prompt.
    pub(crate) fn ends(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// What to do about an error, in the light of those before it: when one too many in a row says
    /// that its prompt is at fault, the endpoint is, and the prompts from there on are put back.
    pub(crate) fn judge(&self, error: CompletionError, now: Duration) -> CompletionError {
        let is_counted = error.class == ErrorClass::Permanent
            && (error.code.starts_with("http_") || error.code == "body_too_large");
        if !is_counted {
            return error;
        }
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let last = self.last_millis.swap(now, Ordering::Relaxed);
        let rested = u128::from(now.saturating_sub(last)) > REST.as_millis();
        if rested && self.failures.load(Ordering::Relaxed) >= FAILURES_MAX {
            self.failures.store(0, Ordering::Relaxed);
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < FAILURES_MAX {
            return error;
        }
        let message =
            format!("{failures} prompts in a row failed and none was answered: {}", error.message);
        // One of them pauses the endpoint, the others need not.
        let class = match failures % FAILURES_MAX {
            0 => ErrorClass::Endpoint,
            _ => ErrorClass::Unavailable,
        };
        CompletionError { class, message, ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorClass::{Endpoint, Permanent, Refused, Unavailable};

    fn classes(streak: &Streak, count: u32, at_seconds: u64) -> Vec<ErrorClass> {
        let judged = (0..count).map(|_| {
            let error = CompletionError::new(Permanent, "http_400", "no");
            streak.judge(error, Duration::from_secs(at_seconds)).class
        });
        judged.collect()
    }

    #[test]
    fn an_endpoint_that_declines_everything_is_at_fault_itself() {
        let streak = Streak::default();
        let before = FAILURES_MAX - 1;
        assert!(classes(&streak, before, 0).iter().all(|class| *class == Permanent));
        // One answer, and it was the prompts.
        streak.ends();
        assert!(classes(&streak, before, 0).iter().all(|class| *class == Permanent));
        // Other errors say nothing either way.
        let refused = CompletionError::new(Refused, "refusal", "no");
        assert_eq!(streak.judge(refused, Duration::ZERO).class, Refused);
        assert_eq!(classes(&streak, 3, 0), [Endpoint, Unavailable, Unavailable]);
        assert!(classes(&streak, FAILURES_MAX, 1).contains(&Endpoint), "should the pause fail");
        // Somebody put it right, or so he thinks.
        assert_eq!(classes(&streak, 1, 62), [Permanent]);
    }
}
