//! Where a prompt was tried in vain, and how often it was put off.
//!
//! An endpoint that uses up its attempts on a prompt is named, so that every other one that answers is
//! asked before the prompt fails. Being put off (429, overloaded) is the endpoint's affair and no
//! attempt at all, unless it goes on while others are answered: then it is this prompt's.

use hornbook_types::Slug;
use tokio::time::Instant;

use crate::limits::{THROTTLED, THROTTLED_AGE, THROTTLED_ALONE, THROTTLED_ALONE_AGE};

/// What became of a prompt so far.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    /// Endpoints that tried in vain, for reasons that another may not have.
    tried: Vec<Slug>,
    refused: Vec<Refused>,
}

/// How often one endpoint put the prompt off.
#[derive(Debug)]
struct Refused {
    endpoint: Slug,
    first_at: Instant,
    times: u32,
    /// Of them those during which it answered others.
    alone: u32,
}

impl Trials {
    /// True when some endpoint tried it.
    pub(crate) fn is_any(&self) -> bool {
        !self.tried.is_empty()
    }

    /// True when that endpoint tried it.
    pub(crate) fn has(&self, endpoint: &Slug) -> bool {
        self.tried.contains(endpoint)
    }

    /// The endpoint tried it in vain.
    pub(crate) fn tried(&mut self, endpoint: &Slug) {
        if !self.has(endpoint) {
            self.tried.push(endpoint.clone());
        }
    }

    /// The endpoint put it off, and `answered` says whether it answered others meanwhile; true when that
    /// was often and long enough to count as a trial.
    pub(crate) fn refused(&mut self, endpoint: &Slug, answered: bool, now: Instant) -> bool {
        let at = self.refused.iter().position(|refused| refused.endpoint == *endpoint);
        let at = at.unwrap_or_else(|| {
            let (endpoint, first_at) = (endpoint.clone(), now);
            self.refused.push(Refused { endpoint, first_at, times: 0, alone: 0 });
            self.refused.len() - 1
        });
        let Some(refused) = self.refused.get_mut(at) else { return false };
        refused.times = refused.times.saturating_add(1);
        refused.alone = refused.alone.saturating_add(u32::from(answered));
        let age = now.duration_since(refused.first_at);
        (refused.alone >= THROTTLED_ALONE && age >= THROTTLED_ALONE_AGE)
            || (refused.times >= THROTTLED && age >= THROTTLED_AGE)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn slug(name: &str) -> Slug {
        name.parse().unwrap_or_else(|_| panic!("a name"))
    }

    /// Refusals, so far apart, until the prompt is given up.
    fn refusals(answered: bool, apart: Duration) -> u32 {
        let (mut trials, endpoint) = (Trials::default(), slug("busy"));
        let begun = Instant::now();
        let given_up = |times: &u32| trials.refused(&endpoint, answered, begun + apart * *times);
        (0..100_000).find(given_up).map_or(u32::MAX, |before| before + 1)
    }

    #[test]
    fn a_prompt_that_alone_is_put_off_is_given_up_after_so_many_times_and_so_long() {
        let minutes = Duration::from_secs(60);
        assert_eq!(refusals(true, minutes), THROTTLED_ALONE);
        assert_eq!(refusals(true, Duration::from_secs(1)), 61);
    }

    #[test]
    fn where_all_are_put_off_hours_go_by() {
        assert_eq!(refusals(false, Duration::from_secs(60)), 121);
        assert_eq!(refusals(false, THROTTLED_AGE), THROTTLED);
    }

    #[test]
    fn endpoints_are_told_apart() {
        let mut trials = Trials::default();
        trials.tried(&slug("a"));
        trials.tried(&slug("a"));
        assert!(trials.is_any() && trials.has(&slug("a")) && !trials.has(&slug("b")));
        let now = Instant::now();
        for _ in 0..THROTTLED {
            assert!(!trials.refused(&slug("a"), true, now));
        }
        let later = now + THROTTLED_ALONE_AGE;
        assert!(!trials.refused(&slug("b"), true, later), "its own count");
        assert!(trials.refused(&slug("a"), true, later));
    }
}
