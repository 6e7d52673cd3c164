use std::sync::atomic::{AtomicU32, AtomicUsize};

use std::time::Duration;

use super::patience::SPIN;
use super::*;

fn team(threads: usize) -> Team {
    Team::new(threads).expect("threads start")
}

/// How often each unit was done.
fn counts(team: &Team, units: usize, grain: usize) -> Vec<u32> {
    let counts: Vec<_> = (0..units).map(|_| AtomicU32::new(0)).collect();
    team.run(units, grain, |range| {
        assert!(!range.is_empty());
        for unit in range {
            counts[unit].fetch_add(1, Ordering::Relaxed);
        }
    });
    counts.into_iter().map(AtomicU32::into_inner).collect()
}

#[test]
fn does_every_unit_once_under_stress() {
    for threads in [1, 2, 3, 8] {
        let team = team(threads);
        assert_eq!(team.threads(), threads);
        for round in 0..4_000_usize {
            let (units, grain) = (round * 7 % 97, round % 5 + 1);
            assert_eq!(counts(&team, units, grain), vec![1; units]);
            if round % 1_000 == 0 {
                // Longer than the threads spin: they sleep and are woken again.
                std::thread::sleep(SPIN * 4);
            }
        }
    }
}

#[test]
fn chunks_are_disjoint_and_complete() {
    let team = team(3);
    for length in [0, 1, 6, 7, 8, 1_000] {
        let mut data = vec![0_usize; length];
        team.run_chunks(&mut data, 7, 2, |index, chunk| {
            for (place, number) in chunk.iter_mut().enumerate() {
                *number += index * 7 + place + 1;
            }
        });
        assert_eq!(data, (1..=length).collect::<Vec<_>>());
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_team_works_on() {
    let team = team(3);
    for bad in [0, 57, 99] {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            team.run(100, 1, |range| {
                std::thread::sleep(Duration::from_micros(20));
                assert!(!range.contains(&bad), "unit {bad}");
            });
        }));
        let panic = caught.expect_err("one unit panicked");
        assert_eq!(panic.downcast_ref::<String>(), Some(&format!("unit {bad}")));
        assert_eq!(counts(&team, 100, 1), vec![1; 100]);
    }
}

#[test]
fn work_within_work_and_of_two_callers_is_done() {
    let team = team(2);
    let total = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..500 {
                    team.run(10, 1, |outer| {
                        team.run(outer.len() * 3, 1, |inner| {
                            total.fetch_add(inner.len(), Ordering::Relaxed);
                        });
                    });
                }
            });
        }
    });
    assert_eq!(total.into_inner(), 3 * 500 * 10 * 3);
}

#[test]
fn threads_end_with_the_team() {
    let team = team(4);
    let shared = Arc::downgrade(&team.shared);
    assert_eq!(counts(&team, 40, 1), vec![1; 40]);
    drop(team);
    assert!(shared.upgrade().is_none(), "a thread holds on to what they shared");
}
