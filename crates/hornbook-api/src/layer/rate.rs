//! A generous bound on what one key may ask in a minute.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::auth::Caller;
use crate::{AppState, Problem};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const WINDOW_SECONDS: u32 = 60;

type Keyed =
    RateLimiter<String, HashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// Requests by key in the last minute. Its keys are ids of stored keys, so it stays small.
pub(crate) struct Limiter {
    keyed: Keyed,
    clock: DefaultClock,
    quota: NonZeroU32,
}

/// How a key stands with its quota.
struct Standing {
    remaining: u32,
    /// Time to wait, when nothing remains.
    wait: Option<Duration>,
}

impl Limiter {
    /// A limiter of `per_minute` requests (at least one) for each key.
    pub(crate) fn new(per_minute: u32) -> Self {
        let quota = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        let clock = DefaultClock::default();
        let keyed =
            Keyed::new(Quota::per_minute(quota), HashMapStateStore::default(), clock.clone());
        Self { keyed, clock, quota }
    }

    fn take(&self, key: &str) -> Standing {
        match self.keyed.check_key(&key.to_owned()) {
            Ok(snapshot) => Standing { remaining: snapshot.remaining_burst_capacity(), wait: None },
            Err(refusal) => {
                Standing { remaining: 0, wait: Some(refusal.wait_time_from(self.clock.now())) }
            }
        }
    }

    fn describe(&self, standing: &Standing, headers: &mut HeaderMap) {
        let quota = self.quota;
        // Seconds until the whole quota is back, as the pace of refilling gives it.
        let used = quota.get().saturating_sub(standing.remaining);
        let reset_seconds =
            (u64::from(used) * u64::from(WINDOW_SECONDS)).div_ceil(u64::from(quota.get()));
        let policy = format!("\"key\";q={quota};w={WINDOW_SECONDS}");
        let state = format!("\"key\";r={};t={reset_seconds}", standing.remaining);
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}

/// Counts the request against its key; callers without a key are refused elsewhere.
pub(crate) async fn limit_rate(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let Some(standing) = request
        .extensions()
        .get::<Caller>()
        .and_then(Caller::owner)
        .map(|key| state.limiter.take(key))
    else {
        return next.run(request).await;
    };
    let mut response = match standing.wait {
        None => next.run(request).await,
        Some(wait) => {
            let seconds = wait.as_secs_f64().ceil().max(1.0);
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                format!("more than {} requests in a minute", state.limiter.quota),
            )
            .header(RETRY_AFTER, format!("{seconds:.0}"))
            .into_response()
        }
    };
    state.limiter.describe(&standing, response.headers_mut());
    response
}
