//! The number of requests under way, against servers simulated in a few lines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// A server that works on `capacity` requests at once and lets the others wait in silence.
struct Server {
    capacity: u64,
    service_millis: u64,
    /// Requests beyond this many are refused at once.
    refuses_above: usize,
    /// One request takes up to this many times as long as another, whatever its size.
    spread: f64,
}

/// Keeps the limiter's window full against `server` until `end`; says the mean of answers per
/// second and of the window over the second half.
fn drive(
    limiter: &Arc<Limiter>,
    timer: &Arc<LeapingTimer>,
    server: &Server,
    seconds: u64,
    tokens: impl Fn(u64) -> u64,
) -> (f64, f64) {
    run(async {
        let start = timer.elapsed();
        let end = start + Duration::from_secs(seconds);
        let half = start + Duration::from_secs(seconds) / 2;
        let mut lanes: Vec<Duration> = vec![start; server.capacity as usize];
        let mut under_way: BinaryHeap<Reverse<(Duration, u64)>> = BinaryHeap::new();
        let mut sent = std::collections::HashMap::new();
        let (mut number, mut answers, mut windows, mut ticks) = (0, 0_u64, 0, 0);
        while timer.elapsed() < end {
            while limiter.in_use() < limiter.window() {
                let admission = limiter.admit(1).await;
                let now = timer.elapsed();
                number += 1;
                let is_refused = under_way.len() >= server.refuses_above;
                let size = tokens(number);
                let done = if is_refused {
                    now + Duration::from_millis(20)
                } else {
                    let lane = lanes.iter_mut().min().unwrap();
                    // Long answers take longer, short ones are mostly prompt.
                    let work = (server.service_millis * (size + 100) / 200) as f64;
                    let draw = (hornbook_types::mix(7, number) >> 11) as f64 / 2_f64.powi(53);
                    // The mean stays what it is without a spread.
                    let longer = match server.spread > 1.0 {
                        true => {
                            server.spread.ln() / (server.spread - 1.0) * server.spread.powf(draw)
                        }
                        false => 1.0,
                    };
                    *lane =
                        (*lane).max(now) + Duration::from_micros((1_000.0 * work * longer) as u64);
                    *lane
                };
                sent.insert(number, (admission, now, is_refused, size));
                under_way.push(Reverse((done, number)));
            }
            let Some(Reverse((done, number))) = under_way.pop() else { break };
            timer.advance(done.saturating_sub(timer.elapsed()));
            let (mut admission, at, is_refused, size) = sent.remove(&number).unwrap();
            admission.report(match is_refused {
                true => throttled(None),
                false => Outcome::Answered { latency: timer.elapsed() - at, tokens: size },
            });
            if timer.elapsed() >= half {
                answers += u64::from(!is_refused);
                windows += limiter.window();
                ticks += 1;
            }
        }
        let seconds = seconds as f64 / 2.0;
        (answers as f64 / seconds, windows as f64 / f64::from(ticks.max(1)))
    })
}

const OPEN: Server =
    Server { capacity: 4_096, service_millis: 1_000, refuses_above: usize::MAX, spread: 1.0 };

#[test]
fn auto_starts_small_and_doubles_while_it_is_used() {
    let (limiter, timer) = limiter(&in_flight(None));
    assert_eq!(limiter.window(), 4);
    drive(&limiter, &timer, &OPEN, 4, |_| 100);
    assert!((24..=128).contains(&limiter.window()), "{}", limiter.window());
    drive(&limiter, &timer, &OPEN, 20, |_| 100);
    assert_eq!(limiter.window(), IN_FLIGHT_AUTO_MAX as usize);
}

#[test]
fn auto_is_not_held_back_by_answers_that_differ() {
    let (limiter, timer) = limiter(&in_flight(None));
    let server = Server { service_millis: 2_000, spread: 8.0, ..OPEN };
    for seconds in [30, 30, 60, 120] {
        let (rate, window) = drive(&limiter, &timer, &server, seconds, |number| 60 + number % 400);
        println!("{:?}: {rate:.1} a second, window {window:.0}", timer.elapsed());
    }
    assert!(limiter.window() >= 256, "{}", limiter.window());
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let (limiter, _) = limiter(&in_flight(None));
    run(async {
        for _ in 0..1_000 {
            limiter.admit(1).await.report(answered(100, 100));
        }
    });
    assert_eq!(limiter.window(), 4);
}

#[test]
fn a_limit_is_the_start_and_the_ceiling() {
    let (limiter, timer) = limiter(&in_flight(Some(32)));
    assert_eq!(limiter.window(), 32);
    drive(&limiter, &timer, &OPEN, 10, |_| 100);
    assert_eq!(limiter.window(), 32);
}

#[test]
fn one_round_trip_is_one_cut() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    run(async {
        let mut under_way = Vec::new();
        for _ in 0..64 {
            under_way.push(limiter.admit(1).await);
        }
        timer.advance(Duration::from_millis(100));
        for admission in &mut under_way {
            admission.report(throttled(None));
        }
        assert_eq!(limiter.window(), 32);
        drop(under_way);
        timer.advance(Duration::from_millis(100));
        let mut under_way = Vec::new();
        for _ in 0..32 {
            under_way.push(limiter.admit(1).await);
        }
        under_way.pop().unwrap().report(throttled(None));
        assert_eq!(limiter.window(), 16);
    });
}

#[test]
fn grows_by_one_a_round_trip_after_a_cut() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    run(async {
        let mut all = Vec::new();
        for _ in 0..64 {
            all.push(limiter.admit(1).await);
        }
        all.pop().unwrap().report(throttled(None));
    });
    assert_eq!(limiter.window(), 32);
    // Ten round trips of a second.
    drive(&limiter, &timer, &OPEN, 10, |_| 100);
    assert!((38..=43).contains(&limiter.window()), "{}", limiter.window());
}

#[test]
fn a_server_that_refuses_is_kept_busy_and_seldom_refuses() {
    let (limiter, timer) = limiter(&in_flight(None));
    let server = Server { capacity: 32, service_millis: 500, refuses_above: 32, ..OPEN };
    let (rate, _) = drive(&limiter, &timer, &server, 120, |_| 100);
    // It can do 64 a second.
    assert!(rate > 0.7 * 64.0, "{rate}");
    let figures = limiter.figures();
    assert!(figures.throttled * 50 < figures.requests, "{figures:?}");
}

#[test]
fn a_server_that_queues_in_silence_is_found_out() {
    for (limit, spread) in [(None, 1.0), (Some(512), 1.0), (None, 8.0), (Some(512), 8.0)] {
        let (limiter, timer) = limiter(&in_flight(limit));
        let server = Server { capacity: 32, service_millis: 500, spread, ..OPEN };
        let (rate, window) = drive(&limiter, &timer, &server, 240, |number| 60 + number % 80);
        println!("{limit:?}, spread {spread}: {rate:.1} a second, window {window:.0}");
        assert!(rate > 0.85 * 64.0, "{limit:?} {spread}: {rate}");
        assert!(window < 110.0, "{limit:?} {spread}: {window}");
    }
}

#[test]
fn other_work_is_not_taken_for_a_slow_server() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    // Long answers, then ratings of three tokens, which take thirty times as long per token.
    drive(&limiter, &timer, &OPEN, 30, |_| 2_000);
    drive(&limiter, &timer, &OPEN, 30, |_| 3);
    assert_eq!(limiter.window(), 64);
}

#[test]
fn a_cut_that_cures_nothing_is_not_repeated() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    drive(&limiter, &timer, &OPEN, 20, |_| 100);
    // Five times slower whatever is under way.
    let slower = Server { service_millis: 5_000, ..OPEN };
    drive(&limiter, &timer, &slower, 300, |_| 100);
    assert!(limiter.window() >= 32, "{}", limiter.window());
}

#[test]
fn slowness_counts_only_when_it_lasts_and_matters() {
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    let answer = async |seconds: u64, latency_millis: u64| {
        for _ in 0..seconds * 10 {
            limiter.admit(1).await.report(answered(latency_millis, 100));
            timer.advance(Duration::from_millis(100));
        }
    };
    run(async {
        answer(5, 200).await;
        answer(2, 2_000).await;
        assert_eq!(limiter.window(), 64, "two seconds are not three");
        answer(10, 200).await;
        answer(10, 290).await;
        assert_eq!(limiter.window(), 64, "not twice as slow");
        let (limiter, timer) = super::limiter(&in_flight(Some(64)));
        for latency in [5, 50] {
            for _ in 0..100 {
                limiter.admit(1).await.report(answered(latency, 100));
                timer.advance(Duration::from_millis(100));
            }
        }
        assert_eq!(limiter.window(), 64, "45 ms are noise");
    });
}

#[test]
fn answers_of_every_speed_are_no_slow_server() {
    // Whatever is under way, one answer takes sixteen times as long as another.
    let (limiter, timer) = limiter(&in_flight(Some(64)));
    let mut smallest = usize::MAX;
    run(async {
        let mut under_way: BinaryHeap<Reverse<(Duration, u64)>> = BinaryHeap::new();
        let mut sent = std::collections::HashMap::new();
        for number in 0..40_000_u64 {
            while limiter.in_use() < limiter.window() {
                let number = number * 64 + limiter.in_use() as u64;
                let wait = 250.0
                    * 16_f64.powf((hornbook_types::mix(1, number) >> 11) as f64 / 2_f64.powi(53));
                let admission = limiter.admit(1).await;
                let done = timer.elapsed() + Duration::from_millis(wait as u64);
                sent.insert(
                    number,
                    (admission, wait as u64, hornbook_types::mix(2, number) % 1_000),
                );
                under_way.push(Reverse((done, number)));
            }
            let Reverse((done, number)) = under_way.pop().unwrap();
            timer.advance(done.saturating_sub(timer.elapsed()));
            let (mut admission, wait, tokens) = sent.remove(&number).unwrap();
            admission.report(answered(wait, 500 + tokens));
            smallest = smallest.min(limiter.window());
        }
    });
    assert!(smallest >= 32, "{smallest}");
}
