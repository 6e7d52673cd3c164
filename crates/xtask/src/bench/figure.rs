//! Measured numbers and what is made of several.

/// Tokens and the seconds that they took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) tokens: f64,
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
}

/// One run of an engine over one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// From the first prompt's arrival until every prompt is computed.
    pub(crate) prompt: Phase,
    /// Drawing new tokens after that.
    pub(crate) decode: Phase,
    /// Cores that anything else kept busy meanwhile.
    pub(crate) others_cores: f64,
}

/// More of a core than this in others' hands makes a run worthless: threads that spin for each other lose
/// far more than that share. An idle virtual machine's own housekeeping takes about half of it.
const OTHERS_CORES_MAX: f64 = 0.1;

/// Whether the machine did too much else during a run.
pub(crate) fn is_disturbed(others_cores: f64) -> bool {
    others_cores > OTHERS_CORES_MAX
}

/// Whether so much else went on in half of the runs or more that their median proves nothing.
pub(crate) fn are_disturbed(others_cores: &[f64]) -> bool {
    let disturbed = others_cores.iter().filter(|cores| is_disturbed(**cores)).count();
    disturbed > 0 && disturbed * 2 >= others_cores.len()
}

/// The two phases of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Prompts.
    Prompt,
    /// New tokens.
    Decode,
}

impl Part {
    /// That phase of a sample.
    pub(crate) fn of(self, sample: &Sample) -> Phase {
        match self {
            Self::Prompt => sample.prompt,
            Self::Decode => sample.decode,
        }
    }
}

/// Several measurements of one thing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) unit: &'static str,
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// Median of the same per CPU second.
    pub(crate) per_cpu_s: Option<f64>,
}

impl Figure {
    /// Tokens per second of several runs of a phase.
    pub(crate) fn speed(phases: &[Phase]) -> Self {
        let per_cpu_s = phases.iter().map(|phase| phase.tokens / phase.cpu_s).collect();
        let per_s = phases.iter().map(|phase| phase.tokens / phase.wall_s).collect();
        Self { per_cpu_s: Some(median(per_cpu_s)), ..Self::of("tokens/s", per_s) }
    }

    /// Several values of any unit; none at all is not a number.
    pub(crate) fn of(unit: &'static str, values: Vec<f64>) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { unit, median: median(values), least, most, per_cpu_s: None }
    }
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// What a ratio must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Bar {
    /// Whether a ratio meets it; what is not a number meets nothing.
    pub(crate) fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bar) => ratio >= bar,
            Self::AtMost(bar) => ratio <= bar,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_speeds() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
        let phase = |wall_s| Phase { tokens: 100.0, wall_s, cpu_s: wall_s * 2.0 };
        let figure = Figure::speed(&[phase(2.0), phase(1.0), phase(4.0)]);
        assert_eq!((figure.median, figure.least, figure.most), (50.0, 25.0, 100.0));
        assert_eq!(figure.per_cpu_s, Some(25.0));
    }

    #[test]
    fn half_of_the_runs_may_not_be_disturbed() {
        assert!(!are_disturbed(&[]));
        assert!(!are_disturbed(&[0.01, 0.9, 0.02]));
        assert!(are_disturbed(&[0.01, 0.9]));
        assert!(are_disturbed(&[0.5]));
    }

    #[test]
    fn bars() {
        assert!(Bar::AtLeast(4.3).is_met(4.3) && !Bar::AtLeast(4.3).is_met(4.29));
        assert!(Bar::AtMost(1.2).is_met(1.1) && !Bar::AtMost(1.2).is_met(1.3));
        assert!(!Bar::AtLeast(0.0).is_met(f64::NAN) && !Bar::AtMost(9.0).is_met(f64::NAN));
    }
}
