//! Whether answers are slow because too many requests are under way.
//!
//! What is compared is time per completion token with the best of the last minutes, among
//! answers of about the same length: a short answer is mostly prompt, so that its time per token
//! says nothing about a long one's. The best is that of a mean over several answers: services
//! whose single answers differ severalfold are not slow for having had a lucky one.

use std::time::Duration;

/// Answers are slow when they take this many times the best.
const SLOW_RATIO: f64 = 2.0;
/// For how long they must be slow.
const SLOW_MILLIS: u64 = 3_000;
/// A difference below this is the network's or ours, whatever its ratio.
const NOISE_MILLIS: u64 = 100;
/// Weight of one answer in the averages.
const WEIGHT: f64 = 1.0 / 16.0;
/// One answer counts as this slow at most, so that one alone never makes them slow (the mean is
/// geometric: 200 to the power of `WEIGHT` is below `SLOW_RATIO`).
const RATIO_MAX: f64 = 200.0;
/// Answers before averages mean anything.
const ANSWERS_MIN: u32 = 16;
/// The best is that of one to two of these, or of more where answers take longer.
const BEST_SECONDS: u64 = 120;
/// A best lasts at least this many answers' time.
const BEST_ANSWERS: u32 = 4;
/// Weight of one answer in the mean of its length, once there are as many.
const CLASS_WEIGHT: f64 = 1.0 / 16.0;
/// Answers of a length before their mean is one.
const CLASS_ANSWERS_MIN: u32 = 8;
/// Classes of length for each doubling.
const CLASSES_PER_DOUBLING: f64 = 2.0;
/// Classes of length, up to a million tokens.
const CLASSES: usize = 40;
/// After a change the quick answers come first: nothing is judged for this many answers' time.
const SETTLING_ANSWERS: f64 = 2.0;
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
    /// They are, for long enough; this many came per second meanwhile.
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
    classes: Vec<Class>,
    recent: Option<Recent>,
    /// Load and ratio that growth is compared with.
    reference: Option<(f64, f64)>,
    /// Mean seconds of an answer.
    mean_seconds: f64,
    settles_at: Duration,
    /// Since when answers are slow, and how many came since.
    slow: Option<(Duration, u32)>,
}

/// Answers of about one length.
#[derive(Clone, Copy, Debug)]
struct Class {
    /// Of the logarithm of the time per token.
    mean: f64,
    answers: u32,
    best: Best,
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
        self.mean_seconds += match self.mean_seconds {
            0.0 => latency.as_secs_f64(),
            mean => WEIGHT * (latency.as_secs_f64() - mean),
        };
        if now < self.settles_at {
            return Verdict::Fine;
        }
        // All that come count, whether or not there is anything to compare them with.
        if let Some((_, answers)) = &mut self.slow {
            *answers = answers.saturating_add(1);
        }
        let Some(log_ratio) = self.log_ratio(now, latency, tokens) else { return Verdict::Fine };
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
            self.slow = None;
            return match self.judge_growth(now, recent.load.max(1.0), ratio) {
                Some(load) => Verdict::GrewInVain(load),
                None if ratio < SLOW_RATIO.sqrt() => Verdict::Recovered,
                None => Verdict::Fine,
            };
        }
        let (since, answers) = *self.slow.get_or_insert((now, 0));
        let lasting = now.saturating_sub(since);
        match lasting >= Duration::from_millis(SLOW_MILLIS) && answers >= ANSWERS_MIN {
            true => Verdict::Slow(f64::from(answers) / lasting.as_secs_f64()),
            false => Verdict::Fine,
        }
    }

    /// Forgets the averages, not the best: another window, another load.
    pub(super) fn forget_recent(&mut self, now: Duration) {
        self.recent = None;
        self.reference = None;
        self.slow = None;
        let settling = Duration::try_from_secs_f64(SETTLING_ANSWERS * self.mean_seconds);
        self.settles_at = now.saturating_add(settling.unwrap_or_default());
    }

    /// Forgets the best as well: what is now is what there is.
    pub(super) fn rebase(&mut self, now: Duration) {
        self.classes.clear();
        self.forget_recent(now);
    }

    /// How many times the best of its length an answer took, as a logarithm; none while that is
    /// not known.
    fn log_ratio(&mut self, now: Duration, latency: Duration, tokens: u64) -> Option<f64> {
        let tokens = tokens.max(1) as f64;
        // Nothing takes no time at all, and its logarithm would outweigh all others.
        let per_token = (latency.as_secs_f64() / tokens).max(1e-9);
        let number = ((tokens.log2() * CLASSES_PER_DOUBLING) as usize).min(CLASSES - 1);
        if self.classes.is_empty() {
            self.classes = vec![Class::new(now); CLASSES];
        }
        let best = self.classes[number].note(now, latency, per_token.ln())?.exp();
        let excess = latency.as_secs_f64() - best * tokens;
        match excess * 1_000.0 > NOISE_MILLIS as f64 {
            true => Some((per_token / best).clamp(1.0 / RATIO_MAX, RATIO_MAX).ln()),
            false => Some(0.0),
        }
    }

    /// The load to go back to, where growing from it made nothing more.
    fn judge_growth(&mut self, now: Duration, load: f64, ratio: f64) -> Option<u32> {
        let (old_load, old_ratio) = *self.reference.get_or_insert((load, ratio));
        let grown = load / old_load;
        // By Little's law answers per second are load over latency.
        let gain = grown * old_ratio / ratio;
        if grown >= STEP_RATIO && gain < GAIN_MIN {
            self.forget_recent(now);
            return Some(old_load.round() as u32);
        }
        if !(1.0..STEP_RATIO).contains(&grown) {
            self.reference = Some((load, ratio));
        }
        None
    }
}

impl Class {
    fn new(now: Duration) -> Self {
        let none = f64::INFINITY;
        let best = Best { current: none, previous: none, turned_at: now };
        Self { mean: 0.0, answers: 0, best }
    }

    /// Notes an answer; the best mean of the last minutes, where there is one.
    fn note(&mut self, now: Duration, latency: Duration, log_per_token: f64) -> Option<f64> {
        self.answers = self.answers.saturating_add(1);
        let weight = CLASS_WEIGHT.max(1.0 / f64::from(self.answers));
        self.mean += weight * (log_per_token - self.mean);
        if self.answers < CLASS_ANSWERS_MIN {
            return None;
        }
        let best = self.best.note(now, latency, self.mean);
        best.is_finite().then_some(best)
    }
}

impl Best {
    fn note(&mut self, now: Duration, latency: Duration, mean: f64) -> f64 {
        let half = Duration::from_secs(BEST_SECONDS).max(latency.saturating_mul(BEST_ANSWERS));
        let age = now.saturating_sub(self.turned_at);
        if age >= half {
            // After a long silence neither half is recent.
            self.previous = if age >= half * 2 { f64::INFINITY } else { self.current };
            self.current = f64::INFINITY;
            self.turned_at = now;
        }
        self.current = self.current.min(mean);
        self.current.min(self.previous)
    }
}
