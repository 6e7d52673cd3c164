use std::sync::Arc;
use std::time::Duration;

use hornbook_types::EndpointLimits;
use proptest::prelude::*;

use super::*;
use crate::Timer;
use crate::ambient::testing::LeapingTimer;

fn limits(requests_per_minute: Option<u32>, tokens_per_minute: Option<u32>) -> EndpointLimits {
    EndpointLimits { in_flight: Some(1_000), requests_per_minute, tokens_per_minute }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// The most that any window of 60 seconds holds.
fn fullest_minute(sent: &[(Duration, u64)]) -> u64 {
    let minute = Duration::from_secs(60);
    let mut first = 0;
    let mut held = 0;
    let mut most = 0;
    for &(at, size) in sent {
        held += size;
        while sent[first].0 + minute <= at {
            held -= sent[first].1;
            first += 1;
        }
        most = most.max(held);
    }
    most
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_minute_holds_more_requests_than_the_limit(
        limit in 1_u32..3_000,
        idle_seconds in proptest::collection::vec(0_u64..90, 4),
    ) {
        let timer = Arc::new(LeapingTimer::default());
        let limiter = Limiter::new(&limits(Some(limit), None), timer.clone());
        let sent = run(async {
            let mut sent = Vec::new();
            for idle in idle_seconds {
                timer.advance(Duration::from_secs(idle));
                let phase_end = timer.elapsed() + Duration::from_secs(100);
                while timer.elapsed() < phase_end {
                    drop(limiter.admit(1).await);
                    sent.push((timer.elapsed(), 1));
                }
            }
            sent
        });
        prop_assert!(fullest_minute(&sent) <= u64::from(limit));
        // And the limit is used: 400 busy seconds hold at least 95 % of what they may.
        prop_assert!(sent.len() as f64 >= 0.95 * f64::from(limit) * 400.0 / 60.0 - 1.0);
    }

    #[test]
    fn no_minute_holds_more_tokens_than_the_limit(
        limit in 600_u32..60_000,
        sizes in proptest::collection::vec((1_u64..4_000, 0_u64..=100), 40..160),
    ) {
        let timer = Arc::new(LeapingTimer::default());
        let limiter = Limiter::new(&limits(None, Some(limit)), timer.clone());
        let sent = run(async {
            let mut sent = Vec::new();
            for (estimate, used_percent) in sizes {
                let admission = limiter.admit(estimate).await;
                // Real use is at most the estimate, as max_tokens makes it.
                let used = estimate.min(u64::from(limit)) * used_percent / 100;
                sent.push((timer.elapsed(), used));
                admission.settle(used);
            }
            sent
        });
        prop_assert!(fullest_minute(&sent) <= u64::from(limit));
    }
}

#[test]
fn unused_tokens_are_given_back() {
    let timer = Arc::new(LeapingTimer::default());
    let limiter = Limiter::new(&limits(None, Some(60_000)), timer.clone());
    // Estimates are four times the use: without giving back, 100 requests would take 400 s.
    run(async {
        for _ in 0..100 {
            limiter.admit(4_000).await.settle(1_000);
        }
    });
    let seconds = timer.elapsed().as_secs();
    assert!((90..130).contains(&seconds), "{seconds}");
}

#[test]
fn tokens_beyond_the_estimate_are_owed() {
    let timer = Arc::new(LeapingTimer::default());
    let limiter = Limiter::new(&limits(None, Some(6_000)), timer.clone());
    run(async {
        limiter.admit(10).await.settle(3_000);
        limiter.admit(10).await.settle(10);
    });
    assert!(timer.elapsed() >= Duration::from_secs(29), "{:?}", timer.elapsed());
}

#[test]
fn a_request_beyond_the_limit_counts_as_a_whole_minute() {
    let timer = Arc::new(LeapingTimer::default());
    let limiter = Limiter::new(&limits(None, Some(1_000)), timer.clone());
    run(async {
        limiter.admit(1_000_000).await.settle(1_000_000);
        limiter.admit(1).await.settle(1);
        assert!(timer.elapsed() >= Duration::from_secs(60));
    });
}

#[test]
fn slots_are_freed_and_waiters_served_in_order() {
    let timer = Arc::new(LeapingTimer::default());
    let one = EndpointLimits { in_flight: Some(1), ..EndpointLimits::default() };
    let limiter = Arc::new(Limiter::new(&one, timer));
    assert_eq!(limiter.in_flight(), 1);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    run(async {
        let held = limiter.admit(1).await;
        let waiters: Vec<_> = (0..8)
            .map(|number| {
                let (limiter, order) = (limiter.clone(), order.clone());
                tokio::spawn(async move {
                    let _admission = limiter.admit(1).await;
                    order.lock().unwrap().push(number);
                })
            })
            .collect();
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
        assert!(order.lock().unwrap().is_empty());
        drop(held);
        for waiter in waiters {
            waiter.await.unwrap();
        }
    });
    assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_large_request_is_not_overtaken() {
    let timer = Arc::new(LeapingTimer::default());
    let limiter = Arc::new(Limiter::new(&limits(None, Some(6_000)), timer));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    run(async {
        limiter.admit(6_000).await.settle(6_000);
        let sizes = [5_000, 1, 1, 1];
        let waiters: Vec<_> = sizes
            .map(|size| {
                let (limiter, order) = (limiter.clone(), order.clone());
                tokio::spawn(async move {
                    limiter.admit(size).await.settle(size);
                    order.lock().unwrap().push(size);
                })
            })
            .into();
        for waiter in waiters {
            waiter.await.unwrap();
        }
    });
    assert_eq!(order.lock().unwrap().first(), Some(&5_000));
}
