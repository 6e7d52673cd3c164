//! Endpoints that are down, and those that ask to be left alone.

use super::*;
use crate::limiter::breaker::FAILURES_MAX;

const UNREACHED: Outcome = Outcome::Failed { is_reached: false };

async fn fail(limiter: &Arc<Limiter>, outcome: Outcome) {
    limiter.admit(1).await.report(outcome);
}

#[test]
fn failures_in_a_row_open_it_and_one_answer_closes_it() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    run(async {
        for _ in 1..FAILURES_MAX {
            fail(&limiter, UNREACHED).await;
        }
        // An answer in between begins the count anew.
        fail(&limiter, answered(10, 10)).await;
        for _ in 1..FAILURES_MAX {
            fail(&limiter, UNREACHED).await;
        }
        assert_eq!(limiter.figures().health, EndpointHealth::Closed);
        fail(&limiter, UNREACHED).await;
        assert_eq!(limiter.figures().health, EndpointHealth::Open);
        assert!(limiter.is_down());
        assert_eq!((limiter.window(), timer.elapsed()), (1, Duration::ZERO));

        // One probe after a pause; nobody else passes before it has ended.
        let mut probe = limiter.admit(1).await;
        assert!(timer.elapsed() >= Duration::from_millis(750), "{:?}", timer.elapsed());
        assert_eq!(limiter.figures().health, EndpointHealth::HalfOpen);
        assert!(is_full(&limiter).await);
        probe.report(answered(10, 10));
        drop(probe);
        assert_eq!(limiter.figures().health, EndpointHealth::Closed);
        // And it is asked for little at first.
        assert_eq!(limiter.window(), IN_FLIGHT_START as usize);
    });
}

#[test]
fn pauses_grow_to_a_cap_that_is_lower_where_something_answers() {
    for (is_reached, cap_seconds) in [(false, 30), (true, 5)] {
        let (limiter, timer) = limiter(&in_flight(Some(64)));
        let pauses: Vec<Duration> = run(async {
            for _ in 0..FAILURES_MAX {
                fail(&limiter, Outcome::Failed { is_reached }).await;
            }
            let mut pauses = Vec::new();
            for _ in 0..9 {
                let before = timer.elapsed();
                fail(&limiter, Outcome::Failed { is_reached }).await;
                pauses.push(timer.elapsed() - before);
            }
            pauses
        });
        let cap = Duration::from_secs(cap_seconds);
        for (number, pause) in pauses.iter().enumerate() {
            let middle = Duration::from_secs(1 << number).min(cap);
            let (least, most) = (middle.mul_f64(0.74), middle.mul_f64(1.26));
            assert!((least..=most).contains(pause), "{number}: {pause:?}");
        }
    }
}

#[test]
fn a_probe_that_is_given_up_is_not_waited_for() {
    let (limiter, _) = limiter(&in_flight(Some(64)));
    run(async {
        for _ in 0..FAILURES_MAX {
            fail(&limiter, UNREACHED).await;
        }
        drop(limiter.admit(1).await);
        limiter.admit(1).await.report(Outcome::Declined);
        assert!(!limiter.is_down(), "a server that declines is up");
    });
}

#[test]
fn what_was_sent_before_it_opened_does_not_lengthen_the_pause() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    run(async {
        let mut under_way = Vec::new();
        for _ in 0..64 {
            under_way.push(limiter.admit(1).await);
        }
        for admission in &mut under_way {
            admission.report(UNREACHED);
        }
        drop(under_way);
        limiter.admit(1).await.report(answered(10, 10));
        assert!(timer.elapsed() < Duration::from_secs(2), "{:?}", timer.elapsed());
    });
}

#[test]
fn a_503_without_end_is_down_and_a_429_is_not() {
    for (is_unavailable, is_down) in [(true, true), (false, false)] {
        let (limiter, _) = limiter(&in_flight(Some(64)));
        run(async {
            for _ in 0..FAILURES_MAX {
                fail(&limiter, Outcome::Throttled { retry_after: None, is_unavailable }).await;
            }
        });
        assert_eq!(limiter.is_down(), is_down);
        assert_eq!(limiter.figures().throttled, u64::from(FAILURES_MAX));
    }
}

#[test]
fn retry_after_holds_everybody() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    run(async {
        fail(&limiter, throttled(Some(Duration::from_secs(7)))).await;
        assert!(is_full(&limiter).await);
        assert!(limiter.figures().held_millis >= 7_000);
        drop(limiter.admit(1).await);
        let held = timer.elapsed();
        assert!((7_000..=7_700).contains(&held.as_millis()), "{held:?}");
        // A later, shorter one does not end it, and no server holds for ever.
        fail(&limiter, throttled(Some(Duration::MAX))).await;
        fail_at_once(&limiter);
        drop(limiter.admit(1).await);
        let held = timer.elapsed() - held;
        assert!((3_600_000..=3_601_000).contains(&held.as_millis()), "{held:?}");
    });
}

fn fail_at_once(limiter: &Arc<Limiter>) {
    limiter.hold(Duration::from_millis(1));
}

#[test]
fn nothing_left_holds_until_the_reset() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    let left = |left, seconds| Some((left, Duration::from_secs(seconds)));
    run(async {
        limiter.observe(&LimitsLeft { requests: left(1, 50), tokens: left(7, 50) });
        drop(limiter.admit(1).await);
        assert_eq!(timer.elapsed(), Duration::ZERO);
        limiter.observe(&LimitsLeft { requests: left(0, 3), tokens: left(0, 9) });
        drop(limiter.admit(1).await);
        let held = timer.elapsed().as_millis();
        assert!((9_000..=9_900).contains(&held), "{held}");
    });
}

#[test]
fn refusals_alone_are_asked_for_ever_more_seldom() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    run(async {
        // A whole window of refusals is one round, and halves it; nobody waits yet.
        let mut under_way = Vec::new();
        for _ in 0..64 {
            under_way.push(limiter.admit(1).await);
        }
        timer.advance(Duration::from_millis(1));
        for admission in &mut under_way {
            admission.report(throttled(None));
        }
        drop(under_way);
        timer.advance(Duration::from_millis(1));
        assert_eq!((limiter.window(), limiter.figures().held_millis), (32, 0));
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let before = timer.elapsed();
            let mut admission = limiter.admit(1).await;
            pauses.push((timer.elapsed() - before).as_millis());
            timer.advance(Duration::from_millis(1));
            admission.report(throttled(None));
        }
        assert_eq!(pauses[0], 0);
        for (number, pause) in pauses[1..].iter().enumerate() {
            let middle = (250 << number).min(15_000);
            assert!((middle * 3 / 4 - 2..=middle * 5 / 4 + 2).contains(pause), "{pauses:?}");
        }
        assert!(limiter.trouble().is_refusing && !limiter.is_down());
        limiter.admit(1).await.report(answered(10, 10));
        assert!(!limiter.trouble().is_refusing);
        fail(&limiter, throttled(None)).await;
        assert_eq!(limiter.figures().held_millis, 0, "it counts anew");
    });
}
