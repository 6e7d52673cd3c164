//! Slots and the order of arrival.

use std::sync::Mutex;

use super::*;

#[test]
fn slots_are_freed_and_waiters_served_in_order() {
    let (limiter, _) = limiter(&in_flight(Some(1)));
    assert_eq!((limiter.window(), limiter.in_use()), (1, 0));
    let order = Arc::new(Mutex::new(Vec::new()));
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
        settle_down().await;
        assert!(order.lock().unwrap().is_empty());
        assert_eq!((limiter.in_use(), limiter.figures().waiting), (1, 8));
        drop(held);
        for waiter in waiters {
            waiter.await.unwrap();
        }
    });
    assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_large_request_is_not_overtaken() {
    let (limiter, _) = limiter(&limits(None, Some(6_000)));
    let order = Arc::new(Mutex::new(Vec::new()));
    run(async {
        limiter.admit(6_000).await.settle(6_000);
        let waiters: Vec<_> = [5_000, 1, 1, 1]
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

#[test]
fn a_wait_that_is_given_up_leaves_no_trace() {
    let (limiter, timer) = limiter(&limits(Some(1), Some(1_000)));
    run(async {
        limiter.admit(1_000).await.settle(1_000);
        for _ in 0..5 {
            assert!(is_full(&limiter).await);
        }
        let figures = limiter.figures();
        assert_eq!((figures.waiting, figures.in_use, figures.requests), (0, 0, 1));
        // Only the first one counts, so the next minute is free for the next.
        drop(limiter.admit(1_000).await);
        assert!(timer.elapsed() < Duration::from_secs(61), "{:?}", timer.elapsed());
    });
}

#[test]
fn one_that_gives_up_at_the_head_lets_the_next_one_through() {
    let (limiter, _) = limiter(&limits(None, Some(1_000)));
    run(async {
        limiter.admit(990).await.settle(990);
        let large = {
            let limiter = limiter.clone();
            tokio::spawn(async move { drop(limiter.admit(1_000).await) })
        };
        let small = {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.admit(1).await.settle(1) })
        };
        large.abort();
        small.await.unwrap();
    });
}

#[test]
fn fewer_slots_are_obeyed_as_they_come_free() {
    let (limiter, _) = limiter(&in_flight(Some(4)));
    run(async {
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(limiter.admit(1).await);
        }
        let mut windows = limiter.watch_window();
        limiter.set_share(Some(2), None, None);
        assert!(windows.has_changed().unwrap());
        assert_eq!(*windows.borrow_and_update(), 2);
        for in_use in [3, 2] {
            held.pop();
            assert_eq!(limiter.in_use(), in_use);
            assert!(is_full(&limiter).await);
        }
        held.pop();
        assert!(!is_full(&limiter).await);
        limiter.set_share(Some(8), None, None);
        assert_eq!(limiter.window(), 8);
    });
}

#[test]
fn a_fixed_limiter_is_slots_and_nothing_else() {
    let limiter = Limiter::fixed(2);
    run(async {
        let mut first = limiter.admit(u64::MAX).await;
        let _second = limiter.admit(u64::MAX).await;
        assert!(is_full(&limiter).await);
        first.report(throttled(None));
        assert_eq!(limiter.window(), 2);
        drop(first);
        assert!(!is_full(&limiter).await);
    });
}
