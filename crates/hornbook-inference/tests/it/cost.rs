//! What keeping to limits costs: CPU time, which a busy machine stretches less than time by the clock.

use futures_util::future::BoxFuture;
use hornbook_inference::{
    Admission, Ambient, Backend, Completion, CompletionError, CompletionRequest, Limited, Limiter,
    RetryPolicy, Retrying,
};
use hornbook_types::EndpointLimits;

use crate::far::{answered, asked};

/// Requests of one measurement.
const REQUESTS: u64 = 50_000;
/// Microseconds that admission, account, latency and retries may cost together; ten times what they do.
const MICROS_MAX: f64 = 20.0;

/// Answers at once.
struct Instantly;

impl Backend for Instantly {
    fn complete(
        &self,
        _request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async { Ok(answered(5, 7)) })
    }

    fn slots(&self) -> usize {
        usize::MAX
    }

    fn model(&self) -> &str {
        "m"
    }
}

/// Nanoseconds that this thread has run.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// Microseconds a request of what `ask` does with it.
async fn measure(
    limiter: &std::sync::Arc<Limiter>,
    ask: impl AsyncFn(CompletionRequest, Admission),
) -> f64 {
    let before = cpu_nanos();
    for seed in 0..REQUESTS {
        let mut admission = limiter.admit(10).await;
        admission.reestimate(12);
        ask(asked(seed, 500, 1), admission).await;
    }
    (cpu_nanos() - before) as f64 / REQUESTS as f64 / 1_000.0
}

#[tokio::test]
async fn keeping_to_limits_costs_a_few_microseconds_a_request() {
    let ambient = Ambient::system(1);
    // All that there is to reckon with, and none of it ever in the way.
    let limits = EndpointLimits {
        in_flight: Some(64),
        requests_per_minute: Some(u32::MAX),
        tokens_per_minute: Some(u32::MAX),
    };
    let limiter = Limiter::new(&limits, ambient.clone());
    let limited = Limited::new(Instantly, limiter.clone(), ambient.clone());
    let layers = Retrying::new(limited, RetryPolicy::default(), ambient);
    let bare = measure(&limiter, async |request, admission| {
        admission.give_back();
        Instantly.complete(request).await.unwrap();
    })
    .await;
    let whole = measure(&limiter, async |request, admission| {
        layers.complete_admitted(request, admission).await.unwrap();
    })
    .await;
    println!("{whole:.2} us a request with all layers, {bare:.2} us with leave alone");
    assert!(whole <= MICROS_MAX, "{whole} us a request");
}
