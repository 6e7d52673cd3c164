//! The order of rows, and how documents come to lines.

use super::*;

fn repeats(times: u32, part: f64) -> Repeats {
    Repeats { times, once_more: 0, part }
}

/// Where a row stands, from 0 to 1.
fn turn(random: u64, epoch: u32, repeats: &Repeats) -> f64 {
    position(random, epoch, repeats, 0) as f64 / u64::MAX as f64
}

#[test]
fn epochs_follow_each_other_over_the_whole_corpus() {
    let two_and_a_half = repeats(2, 0.5);
    for n in 0..1_000 {
        let random = keyed(1, n);
        for (epoch, from, to) in [(0, 0.0, 0.4), (1, 0.4, 0.8), (2, 0.8, 1.0)] {
            let turn = turn(random, epoch, &two_and_a_half);
            assert!((from..=to).contains(&turn), "{epoch}: {turn}");
        }
    }
    // Half of the rows of a line stand in the first half, whatever its epochs.
    for repeats in [Repeats::ONCE, two_and_a_half] {
        let rows = (0..4_000_u64).flat_map(|n| {
            let epochs = if n % 2 == 0 && repeats.part > 0.0 { 3 } else { repeats.times };
            (0..epochs).map(move |epoch| turn(keyed(7 + u64::from(epoch), n), epoch, &repeats))
        });
        let (mut all, mut early) = (0, 0);
        for turn in rows {
            all += 1;
            early += u32::from(turn < 0.5);
        }
        let share = f64::from(early) / f64::from(all);
        assert!((share - 0.5).abs() < 0.02, "{share}");
    }
}

#[test]
fn equal_texts_have_places_of_their_own() {
    let places: std::collections::BTreeSet<u64> =
        (0..10_000).map(|number| position(99, 0, &Repeats::ONCE, number)).collect();
    assert!(places.len() > 9_990, "{}", places.len());
    let spread = places.last().unwrap() - places.first().unwrap();
    assert!(spread < 1 << 24, "they stand together all the same");
}
