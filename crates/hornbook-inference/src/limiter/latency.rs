//! Whether answers are slow because too many requests are under way.
//!
//! What is compared is time per completion token with the best of the last minutes, among
//! answers of about the same length: a short answer is mostly prompt, so that its time per token
//! says nothing about a long one's.

use std::time::Duration;

/// Answers are slow when they take this many times the best.
const SLOW_RATIO: f64 = 2.0;
/// For how long they must be slow.
const SLOW_MILLIS: u64 = 3_000;
/// A difference below this is the network's or ours, whatever its ratio.
const NOISE_MILLIS: u64 = 100;
/// Weight of one answer in the averages.
const WEIGHT: f64 = 0.125;
/// One answer counts as this slow at most, so that one alone never makes them slow (the mean is
/// geometric: 200 to the power of `WEIGHT` is below `SLOW_RATIO`).
const RATIO_MAX: f64 = 200.0;
/// Answers before averages mean anything.
const ANSWERS_MIN: u32 = 8;
/// The best is that of one to two of these, or of more where answers take longer.
const BEST_SECONDS: u64 = 120;
/// A best lasts at least this many answers' time.
const BEST_ANSWERS: u32 = 4;
/// Classes of length for each doubling.
const CLASSES_PER_DOUBLING: f64 = 4.0;
/// Classes of length, up to a million tokens.
const CLASSES: usize = 80;
/// Load must have grown by this much before growth is judged.
const STEP_RATIO: f64 = 1.5;
/// Growth by a step that makes less than this much more of answers is in vain.
const GAIN_MIN: f64 = 1.1;

/// What an answer's time says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Fine,
    /// Not slow any more.
    Recovered,
    /// This many times the best, and long enough.
    Slow(f64),
    /// More under way made answers slower in proportion; this many were as good.
    GrewInVain(u32),
}

/// Averages over recent answers.
#[derive(Clone, Copy, Debug)]
struct Recent {
    log_ratio: f64,
    load: f64,
    answers: u32,
}

#[derive(Debug, Default)]
pub(super) struct Latency {
    best: Vec<Best>,
    recent: Option<Recent>,
    /// Load and ratio that growth is compared with.
    reference: Option<(f64, f64)>,
    slow_since: Option<Duration>,
}

/// The least of a sliding window, in two halves.
#[derive(Clone, Copy, Debug)]
struct Best {
    current: f64,
    previous: f64,
    turned_at: Duration,
}

impl Latency {
    /// Notes an answer of a request that was sent with `load` under way.
    pub(super) fn note(
        &mut self,
        now: Duration,
        load: u32,
        latency: Duration,
        tokens: u64,
    ) -> Verdict {
        let log_ratio = self.ratio(now, latency, tokens).min(RATIO_MAX).ln();
        let load = f64::from(load);
        let recent = match &mut self.recent {
            Some(recent) => {
                recent.log_ratio += WEIGHT * (log_ratio - recent.log_ratio);
                recent.load += WEIGHT * (load - recent.load);
                recent.answers = recent.answers.saturating_add(1);
                *recent
            }
            none => *none.insert(Recent { log_ratio, load, answers: 1 }),
        };
        if recent.answers < ANSWERS_MIN {
            return Verdict::Fine;
        }
        let ratio = recent.log_ratio.exp();
        if ratio < SLOW_RATIO {
            self.slow_since = None;
            return match self.judge_growth(recent.load.max(1.0), ratio) {
                Some(load) => Verdict::GrewInVain(load),
                None if ratio < SLOW_RATIO.sqrt() => Verdict::Recovered,
                None => Verdict::Fine,
            };
        }
        let since = *self.slow_since.get_or_insert(now);
        if now.saturating_sub(since) >= Duration::from_millis(SLOW_MILLIS) {
            return Verdict::Slow(ratio);
        }
        Verdict::Fine
    }

    /// Forgets the averages, not the best: another window, another load.
    pub(super) fn forget_recent(&mut self) {
        self.recent = None;
        self.reference = None;
        self.slow_since = None;
    }

    /// Forgets the best as well: what is now is what there is.
    pub(super) fn rebase(&mut self) {
        *self = Self::default();
    }

    /// How many times the best of its length an answer took.
    fn ratio(&mut self, now: Duration, latency: Duration, tokens: u64) -> f64 {
        let tokens = tokens.max(1) as f64;
        let per_token = latency.as_secs_f64() / tokens;
        let class = ((tokens.log2() * CLASSES_PER_DOUBLING) as usize).min(CLASSES - 1);
        if self.best.is_empty() {
            let none = f64::INFINITY;
            self.best = vec![Best { current: none, previous: none, turned_at: now }; CLASSES];
        }
        let best = self.best[class].note(now, latency, per_token);
        let excess = latency.as_secs_f64() - best * tokens;
        match excess * 1_000.0 > NOISE_MILLIS as f64 && best > 0.0 {
            true => per_token / best,
            false => 1.0,
        }
    }

    /// The load to go back to, where growing from it made nothing more.
    fn judge_growth(&mut self, load: f64, ratio: f64) -> Option<u32> {
        let (old_load, old_ratio) = *self.reference.get_or_insert((load, ratio));
        let grown = load / old_load;
        // By Little's law answers per second are load over latency.
        let gain = grown * old_ratio / ratio;
        if grown >= STEP_RATIO && gain < GAIN_MIN {
            self.forget_recent();
            return Some(old_load.round() as u32);
        }
        if !(1.0..STEP_RATIO).contains(&grown) {
            self.reference = Some((load, ratio));
        }
        None
    }
}

impl Best {
    fn note(&mut self, now: Duration, latency: Duration, per_token: f64) -> f64 {
        let half = Duration::from_secs(BEST_SECONDS).max(latency.saturating_mul(BEST_ANSWERS));
        let age = now.saturating_sub(self.turned_at);
        if age >= half {
            // After a long silence neither half is recent.
            self.previous = if age >= half * 2 { f64::INFINITY } else { self.current };
            self.current = f64::INFINITY;
            self.turned_at = now;
        }
        self.current = self.current.min(per_token);
        self.current.min(self.previous)
    }
}
