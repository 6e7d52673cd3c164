//! What windows of a minute hold, counted.

use proptest::prelude::*;

use super::*;

/// The most that any window of 60 seconds holds, as a part of the limit at its end.
fn fullest_minute(sent: &[(Duration, u64, u64)]) -> f64 {
    let minute = Duration::from_secs(60);
    let (mut first, mut held, mut most) = (0, 0, 0.0_f64);
    for &(at, size, limit) in sent {
        held += size;
        while sent[first].0 + minute <= at {
            held -= sent[first].1;
            first += 1;
        }
        most = most.max(held as f64 / limit as f64);
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
        let (limiter, timer) = limiter(&limits(Some(limit), None));
        let sent = run(async {
            let mut sent = Vec::new();
            for idle in idle_seconds {
                timer.advance(Duration::from_secs(idle));
                let phase_end = timer.elapsed() + Duration::from_secs(100);
                while timer.elapsed() < phase_end {
                    drop(limiter.admit(1).await);
                    sent.push((timer.elapsed(), 1, u64::from(limit)));
                }
            }
            sent
        });
        prop_assert!(fullest_minute(&sent) <= 1.0);
        // And the limit is used: 400 busy seconds hold at least 95 % of what they may.
        prop_assert!(sent.len() as f64 >= 0.95 * f64::from(limit) * 400.0 / 60.0 - 1.0);
    }

    #[test]
    fn no_minute_holds_more_than_a_share_that_changes(
        shares in proptest::collection::vec((1_u32..2_000, 1_u64..150), 2..8),
    ) {
        let (limiter, timer) = limiter(&limits(Some(1), None));
        let (sent, possible) = run(async {
            let mut sent = Vec::new();
            let mut possible = 0.0;
            for (share, seconds) in shares {
                limiter.set_share(Some(1_000), Some(share), None);
                let start = timer.elapsed();
                let mut end = start + Duration::from_secs(seconds);
                while timer.elapsed() < end {
                    let admitted = limiter.admit(1).await;
                    if timer.elapsed() >= end {
                        // The change would have come first.
                        admitted.give_back();
                        end = timer.elapsed();
                        break;
                    }
                    sent.push((timer.elapsed(), 1, u64::from(share)));
                }
                // In the first minute of a share what went before it still counts.
                let alone = (end - start).as_secs_f64() - 61.0;
                possible += f64::from(share) * (alone / 60.0).floor().max(0.0);
            }
            (sent, possible)
        });
        prop_assert!(fullest_minute(&sent) <= 1.0);
        prop_assert!(sent.len() as f64 >= 0.95 * possible - 1.0, "{} of {possible}", sent.len());
    }

    #[test]
    fn no_minute_holds_more_tokens_than_the_limit(
        limit in 600_u32..60_000,
        sizes in proptest::collection::vec((1_u64..4_000, 0_u64..=100), 40..160),
    ) {
        let (limiter, timer) = limiter(&limits(None, Some(limit)));
        let sent = run(async {
            let mut sent = Vec::new();
            for (estimate, used_percent) in sizes {
                let admission = limiter.admit(estimate).await;
                // Real use is at most the estimate, as max_tokens makes it.
                let used = estimate.min(u64::from(limit)) * used_percent / 100;
                sent.push((timer.elapsed(), used, u64::from(limit)));
                admission.settle(used);
            }
            sent
        });
        prop_assert!(fullest_minute(&sent) <= 1.0);
    }

    #[test]
    fn tokens_exceed_a_changing_share_by_one_estimates_error_at_most(
        shares in proptest::collection::vec((2_000_u32..60_000, 1_u64..150), 2..6),
        sizes in proptest::collection::vec((1_u64..2_000, 50_u64..=150), 16),
    ) {
        let (limiter, timer) = limiter(&limits(None, Some(1)));
        let sent = run(async {
            let mut sent = Vec::new();
            let mut sizes = sizes.into_iter().cycle();
            for (share, seconds) in shares {
                limiter.set_share(Some(1_000), None, Some(share));
                let end = timer.elapsed() + Duration::from_secs(seconds);
                while timer.elapsed() < end {
                    let (estimate, used_percent) = sizes.next().unwrap();
                    let admission = limiter.admit(estimate).await;
                    if timer.elapsed() >= end {
                        admission.give_back();
                        break;
                    }
                    let used = estimate * used_percent / 100;
                    // The largest error: half of 2,000.
                    sent.push((timer.elapsed(), used, u64::from(share) + 1_000));
                    admission.settle(used);
                }
            }
            sent
        });
        prop_assert!(fullest_minute(&sent) <= 1.0);
    }

    #[test]
    fn tokens_are_used_whatever_the_sizes(
        // What is left of a window is on average half of what the next request needs.
        limit in 40_000_u32..120_000,
        sizes in proptest::collection::vec(100_u64..2_000, 900),
    ) {
        let (limiter, timer) = limiter(&limits(None, Some(limit)));
        let used: u64 = sizes.iter().sum();
        run(async {
            for size in sizes {
                limiter.admit(size).await.settle(size);
            }
        });
        let minutes = timer.elapsed().as_secs_f64() / 60.0;
        let possible = f64::from(limit) * minutes;
        prop_assert!(used as f64 >= 0.95 * possible, "{used} of {possible}");
    }
}

#[test]
fn both_rates_hold_together_with_answers_that_take_their_time() {
    let (limiter, timer) = limiter(&limits(Some(600), Some(60_000)));
    let sent = run(async {
        let mut under_way = std::collections::VecDeque::new();
        let mut sent = Vec::new();
        while timer.elapsed() < Duration::from_secs(600) {
            let admission = limiter.admit(200).await;
            sent.push((timer.elapsed(), 1, 600));
            under_way.push_back(admission);
            // Twenty are under way, and each uses three quarters of its estimate.
            if under_way.len() > 20 {
                under_way.pop_front().unwrap().settle(150);
            }
        }
        sent
    });
    assert!(fullest_minute(&sent) <= 1.0);
    // Tokens are what binds: 400 a minute of 150, not 300 of 200.
    let per_minute = sent.len() as f64 / 10.0;
    assert!((375.0..=401.0).contains(&per_minute), "{per_minute}");
}

#[test]
fn unused_tokens_are_given_back() {
    let (limiter, timer) = limiter(&limits(None, Some(60_000)));
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
    let (limiter, timer) = limiter(&limits(None, Some(6_000)));
    run(async {
        limiter.admit(10).await.settle(3_000);
        limiter.admit(10).await.settle(10);
    });
    assert!(timer.elapsed() >= Duration::from_secs(29), "{:?}", timer.elapsed());
}

#[test]
fn a_request_beyond_the_limit_counts_as_a_whole_minute() {
    let (limiter, timer) = limiter(&limits(None, Some(1_000)));
    run(async {
        limiter.admit(1_000_000).await.settle(1_000_000);
        limiter.admit(1).await.settle(1);
        assert!(timer.elapsed() >= Duration::from_secs(60));
    });
}

#[test]
fn a_request_beyond_the_share_waits_for_a_larger_one() {
    let (limiter, timer) = limiter(&limits(None, Some(6_000)));
    run(async {
        limiter.set_share(None, None, Some(2_000));
        let waiter = {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.admit(3_000).await.settle(3_000) })
        };
        settle_down().await;
        assert!(!waiter.is_finished(), "it is more than this process may use in a minute");
        limiter.set_share(None, None, Some(3_000));
        waiter.await.unwrap();
        assert_eq!(limiter.figures().tokens_last_minute, 3_000);
        // Even the largest counts for no more than the whole limit, and goes once that is here.
        limiter.set_share(None, None, Some(6_000));
        limiter.admit(1_000_000).await.settle(6_000);
        assert!(timer.elapsed() >= Duration::from_secs(60));
    });
}

#[test]
fn a_prompt_that_turns_out_larger_than_the_share_is_charged_whole() {
    let (limiter, _) = limiter(&limits(None, Some(6_000)));
    run(async {
        limiter.set_share(None, None, Some(2_000));
        let mut admission = limiter.admit(500).await;
        admission.reestimate(5_000);
        assert_eq!(limiter.figures().tokens_last_minute, 5_000);
    });
}

#[test]
fn another_prompt_than_the_one_looked_at_is_charged_for_what_it_is() {
    let (limiter, _) = limiter(&limits(None, Some(60_000)));
    run(async {
        let mut admission = limiter.admit(4_000).await;
        admission.reestimate(1_000);
        assert_eq!(limiter.figures().tokens_last_minute, 1_000);
        admission.settle(700);
        let figures = limiter.figures();
        assert_eq!((figures.tokens_last_minute, figures.tokens), (700, 700));
    });
}

#[test]
fn a_minute_counts_from_sending_not_from_leave() {
    let (limiter, timer) = limiter(&limits(Some(10), None));
    run(async {
        let mut admission = limiter.admit(1).await;
        timer.advance(Duration::from_secs(50));
        admission.reestimate(1);
        timer.advance(Duration::from_secs(30));
        assert_eq!(limiter.figures().requests_last_minute, 1);
    });
}

#[test]
fn a_request_that_was_not_sent_costs_nothing() {
    let (limiter, timer) = limiter(&limits(Some(1), Some(1_000)));
    run(async {
        limiter.admit(1_000).await.give_back();
        limiter.admit(1_000).await.give_back();
        assert_eq!(timer.elapsed(), Duration::ZERO);
        let figures = limiter.figures();
        assert_eq!((figures.requests, figures.requests_last_minute), (0, 0));
        assert_eq!((figures.in_use, figures.tokens_last_minute), (0, 0));
    });
}

#[test]
fn a_share_of_zero_admits_nothing_until_it_grows() {
    let (limiter, _) = limiter(&limits(Some(600), Some(6_000)));
    run(async {
        for share in [(Some(0), None, None), (None, Some(0), None), (None, None, Some(0))] {
            limiter.set_share(share.0, share.1, share.2);
            assert_eq!(limiter.window(), 0, "{share:?}");
            let waiter = {
                let limiter = limiter.clone();
                tokio::spawn(async move { drop(limiter.admit(1).await) })
            };
            settle_down().await;
            assert!(!waiter.is_finished(), "{share:?}");
            assert_eq!(limiter.figures().waiting, 1);
            limiter.set_share(None, None, None);
            waiter.await.unwrap();
        }
    });
}

#[test]
fn a_rate_that_is_granted_again_starts_empty_and_remembers() {
    let (limiter, timer) = limiter(&limits(Some(6_000), None));
    run(async {
        // A burst of ten is there, and is lost with the change.
        limiter.set_share(None, Some(0), None);
        limiter.set_share(None, Some(6_000), None);
        drop(limiter.admit(1).await);
        assert!(timer.elapsed() >= Duration::from_millis(10), "{:?}", timer.elapsed());
        // What was sent under a large share counts against a small one.
        for _ in 0..50 {
            drop(limiter.admit(1).await);
        }
        limiter.set_share(None, Some(20), None);
        drop(limiter.admit(1).await);
        assert!(timer.elapsed() >= Duration::from_secs(60), "{:?}", timer.elapsed());
    });
}

#[test]
fn changes_that_come_faster_than_requests_do_not_starve_them() {
    let (limiter, timer) = limiter(&limits(Some(2), None));
    run(async {
        drop(limiter.admit(1).await);
        // A request every 30 s or so, a change every five.
        for step in 0..20 {
            timer.advance(Duration::from_secs(5));
            limiter.set_share(None, Some(2 + step % 2), None);
        }
        let before = timer.elapsed();
        drop(limiter.admit(1).await);
        assert!(timer.elapsed() - before < Duration::from_secs(1));
    });
}

#[test]
fn what_is_owed_of_a_large_share_is_not_paid_for_hours_of_a_small_one() {
    let (limiter, timer) = limiter(&limits(None, Some(60_000)));
    run(async {
        limiter.admit(60_000).await.settle(60_000);
        limiter.set_share(None, None, Some(100));
        drop(limiter.admit(1).await);
        let seconds = timer.elapsed().as_secs();
        assert!((60..=62).contains(&seconds), "{seconds}");
    });
}
