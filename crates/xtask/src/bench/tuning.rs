//! Which way of running llama.cpp is its best here, tried out before anything counts.

use std::collections::BTreeMap;

use crate::Outcome;

use super::figure::{Part, Sample};
use super::run::Run;
use super::setting::Setting;

/// All ways that were tried and how fast they were.
#[derive(Default)]
pub(crate) struct Tuning {
    tried: BTreeMap<String, Sample>,
}

impl Tuning {
    /// The fastest of the candidates at a part of the work.
    pub(crate) fn best(
        &mut self,
        candidates: &[Run],
        part: Part,
        setting: &Setting<'_>,
    ) -> Outcome<Run> {
        let mut best: Option<(f64, &Run)> = None;
        for candidate in candidates {
            let speed = self.speed(candidate, part, setting)?;
            if best.is_none_or(|(fastest, _)| speed > fastest) {
                best = Some((speed, candidate));
            }
        }
        let (_, run) = best.ok_or("there is no type to choose from; see --types")?;
        Ok(run.clone())
    }

    fn speed(&mut self, run: &Run, part: Part, setting: &Setting<'_>) -> Outcome<f64> {
        let short = run.shortened();
        let name = short.name();
        let sample = match self.tried.get(&name) {
            Some(sample) => *sample,
            None => {
                println!("trying {name}");
                let sample = short.measure(setting)?;
                self.tried.insert(name, sample);
                sample
            }
        };
        let phase = part.of(&sample);
        Ok(phase.tokens / phase.wall_s)
    }

    /// Everything that was tried.
    pub(crate) fn tried(&self) -> &BTreeMap<String, Sample> {
        &self.tried
    }
}
