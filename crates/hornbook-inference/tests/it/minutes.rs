//! Limits per minute, counted where requests arrive, with everything that happens to requests on top:
//! sizes of every kind, answers that take seconds, errors, and the attempts that follow on them.

use std::sync::Arc;
use std::time::Duration;

use hornbook_inference::{Backend, Timer as _};
use hornbook_types::EndpointLimits;

use crate::far::{Arrival, Far, Fate, Nature, asked};
use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// A number that looks drawn, the same in every run.
fn mixed(number: u64, salt: u64) -> u64 {
    hornbook_types::mix(salt, number)
}

/// The most that any 60 seconds hold of what `size` says.
fn fullest(arrivals: &[Arrival], size: impl Fn(&Arrival) -> u64) -> u64 {
    let (mut first, mut held, mut most) = (0, 0, 0);
    for arrival in arrivals {
        held += size(arrival);
        while arrivals[first].at + MINUTE <= arrival.at {
            held -= size(&arrivals[first]);
            first += 1;
        }
        most = most.max(held);
    }
    most
}

/// So many of a hundred fail, the others take a quarter of a second to four.
fn moody(failing: u64) -> Nature {
    Box::new(move |moment| {
        let wait = Duration::from_millis(250 + mixed(moment.number, 1) % 3_750);
        match mixed(moment.number, 2) % 100 < failing {
            true => (Duration::from_millis(30), Fate::Fails("http_500")),
            false => (wait, Fate::Answered(60 + mixed(moment.number, 3) % 41)),
        }
    })
}

/// Sends prompts of 100 to 2,000 tokens for ten minutes, never fewer than a hundred waiting.
fn ten_minutes(limits: &EndpointLimits, failing: u64) -> Vec<Arrival> {
    let world = World::default();
    let far = Far::new(&world, moody(failing));
    let endpoint = far.behind(limits);
    let limiter = endpoint.limiter().unwrap();
    world.run(async {
        let mut seq = 0;
        while world.elapsed() < 10 * MINUTE {
            while limiter.figures().waiting < 100 {
                let endpoint = Arc::clone(&endpoint);
                let size = match mixed(seq, 4) % 10 {
                    0 => 1_700,
                    1..4 => 500,
                    _ => 50,
                };
                let request = asked(seq, 50 + mixed(seq, 5) as usize % 250, size);
                world.spawn(async move { drop(endpoint.complete(request).await) });
                seq += 1;
                // It gets to the queue before the next one is made.
                world.sleep(Duration::from_nanos(1)).await;
            }
            world.sleep(Duration::from_millis(20)).await;
        }
    });
    far.arrivals()
}

/// First attempts arrive in the order in which their prompts came: nobody overtakes anybody.
fn assert_in_order(arrivals: &[Arrival]) {
    let mut next = 0;
    for arrival in arrivals {
        assert!(arrival.seed <= next, "{} overtook {next}", arrival.seed);
        next += u64::from(arrival.seed == next);
    }
    assert!(next > 100, "{next} prompts were sent");
}

#[test]
fn requests_of_a_minute_are_never_more_than_the_limit_and_nearly_as_many() {
    for limit in [40, 600, 3_000] {
        let limits = EndpointLimits {
            in_flight: Some(512),
            requests_per_minute: Some(limit),
            ..EndpointLimits::default()
        };
        let arrivals = ten_minutes(&limits, 8);
        let fullest = fullest(&arrivals, |_| 1);
        let used = arrivals.len() as f64 / (10.0 * f64::from(limit));
        println!("limit {limit}: at most {fullest} in 60 s, {:.1} % used", 100.0 * used);
        assert!(fullest <= u64::from(limit), "{fullest} of {limit}");
        assert!(used >= 0.95, "{used} of {limit}");
        assert_in_order(&arrivals);
    }
}

#[test]
fn tokens_of_a_minute_are_what_was_really_used() {
    for limit in [30_000, 200_000] {
        let limits = EndpointLimits {
            in_flight: Some(512),
            requests_per_minute: Some(3_000),
            tokens_per_minute: Some(limit),
        };
        // What a failed request used is not known, and counts in full: it would hide the rest here.
        let arrivals = ten_minutes(&limits, 0);
        let fullest = fullest(&arrivals, |arrival| arrival.used);
        let used: u64 = arrivals.iter().map(|arrival| arrival.used).sum();
        let estimated: u64 = arrivals.iter().map(|arrival| arrival.estimate).sum();
        let part = used as f64 / (10.0 * f64::from(limit));
        println!(
            "limit {limit}: at most {fullest} in 60 s, {:.1} % used of {:.1} % estimated",
            100.0 * part,
            estimated as f64 / f64::from(limit) * 10.0,
        );
        // No answer is longer than its estimate, so there is no error to exceed it by.
        assert!(fullest <= u64::from(limit), "{fullest} of {limit}");
        // What is left of a minute is on average half of what the next one needs, here up to 2,000.
        assert!(part >= 0.9, "{part} of {limit}");
        assert_in_order(&arrivals);
    }
}
