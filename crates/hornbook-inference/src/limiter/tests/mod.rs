mod breaker;
mod queue;
mod rates;
mod window;

use std::sync::Arc;
use std::time::Duration;

use hornbook_types::EndpointLimits;

use super::*;
use crate::ambient::testing::LeapingTimer;

fn limits(requests_per_minute: Option<u32>, tokens_per_minute: Option<u32>) -> EndpointLimits {
    EndpointLimits { in_flight: Some(1_000), requests_per_minute, tokens_per_minute }
}

fn in_flight(in_flight: Option<u32>) -> EndpointLimits {
    EndpointLimits { in_flight, ..EndpointLimits::default() }
}

fn limiter(limits: &EndpointLimits) -> (Arc<Limiter>, Arc<LeapingTimer>) {
    let timer = Arc::new(LeapingTimer::default());
    let ambient = Ambient::new(Arc::new(SystemClock), timer.clone(), 1);
    (Limiter::new(limits, ambient), timer)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Lets everything that can run run.
async fn settle_down() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// True when nothing is admitted now.
async fn is_full(limiter: &Arc<Limiter>) -> bool {
    let admit = limiter.admit(1);
    tokio::select! {
        biased;
        _ = admit => false,
        () = std::future::ready(()) => true,
    }
}

fn answered(millis: u64, tokens: u64) -> Outcome {
    Outcome::Answered { latency: Duration::from_millis(millis), tokens }
}

fn throttled(retry_after: Option<Duration>) -> Outcome {
    Outcome::Throttled { retry_after, is_unavailable: false }
}
