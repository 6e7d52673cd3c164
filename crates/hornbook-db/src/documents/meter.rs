//! How long finished documents wait until they are stored, measured where they wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the classes that waits and commits are counted in, in milliseconds.
pub const COMMIT_CLASSES_MILLIS: [u64; 9] = [10, 25, 50, 75, 100, 150, 250, 500, 1_000];

/// Counts commits of groups of documents since the start of the process; shared by all workers in it.
#[derive(Debug, Default)]
pub struct CommitMeter {
    commits: Durations,
    waits: Durations,
}

/// Durations, by class.
#[derive(Debug, Default)]
struct Durations {
    /// Those of each class and of none above it, then the longer ones.
    classes: [AtomicU64; COMMIT_CLASSES_MILLIS.len() + 1],
    total_micros: AtomicU64,
    longest_micros: AtomicU64,
}

/// What a meter counted of one kind of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DurationFigures {
    /// How many were no longer than each bound of [`COMMIT_CLASSES_MILLIS`].
    pub up_to: Vec<u64>,
    /// How many there were.
    pub count: u64,
    /// Their sum, in milliseconds.
    pub total_millis: u64,
    /// The longest, in milliseconds, rounded up.
    pub longest_millis: u64,
}

impl CommitMeter {
    /// A group was stored, which took so long; each of its documents had come so long ago.
    pub fn stored(&self, commit: Duration, waits: impl Iterator<Item = Duration>) {
        self.commits.count(commit);
        for wait in waits {
            self.waits.count(wait);
        }
    }

    /// How long the database took to store a group.
    pub fn commits(&self) -> DurationFigures {
        self.commits.figures()
    }

    /// How long documents waited from the endpoint's answer until they were stored.
    pub fn waits(&self) -> DurationFigures {
        self.waits.figures()
    }
}

impl Durations {
    fn count(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let class = COMMIT_CLASSES_MILLIS.partition_point(|bound| bound * 1_000 < micros);
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.total_micros.fetch_add(micros, Ordering::Relaxed);
        self.longest_micros.fetch_max(micros, Ordering::Relaxed);
    }

    fn figures(&self) -> DurationFigures {
        let mut count = 0;
        let mut up_to: Vec<u64> = Vec::with_capacity(self.classes.len());
        for class in &self.classes {
            count += class.load(Ordering::Relaxed);
            up_to.push(count);
        }
        up_to.truncate(COMMIT_CLASSES_MILLIS.len());
        DurationFigures {
            up_to,
            count,
            total_millis: self.total_micros.load(Ordering::Relaxed) / 1_000,
            longest_millis: self.longest_micros.load(Ordering::Relaxed).div_ceil(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_the_first_class_that_holds_them() {
        let meter = CommitMeter::default();
        let millis = |waits: &[u64]| waits.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let waits: Vec<Duration> = millis(&[0, 10, 11, 60, 2_000]);
        meter.stored(Duration::from_micros(25_001), waits.into_iter());
        let waits = meter.waits();
        assert_eq!(waits.up_to, [2, 3, 3, 4, 4, 4, 4, 4, 4]);
        assert_eq!((waits.count, waits.total_millis, waits.longest_millis), (5, 2_081, 2_000));
        let commits = meter.commits();
        assert_eq!((commits.up_to[1], commits.up_to[2], commits.longest_millis), (0, 1, 26));
    }
}
