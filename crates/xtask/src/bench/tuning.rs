//! Which way of running llama.cpp is its best here, tried out before anything counts.

use std::collections::BTreeMap;

use crate::Outcome;

use super::figure::{Part, Sample};
use super::run::Run;
use super::setting::Setting;

/// Times that every way is tried; its best time counts, as noise only ever slows.
const TRIES: usize = 2;

/// All ways that were tried and how fast they were.
#[derive(Default)]
pub(crate) struct Tuning {
    tried: BTreeMap<String, Vec<Sample>>,
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
        if !self.tried.contains_key(&name) {
            println!("trying {name}");
            let samples: Vec<Sample> =
                (0..TRIES).map(|_| short.measure(setting)).collect::<Outcome<_>>()?;
            self.tried.insert(name.clone(), samples);
        }
        let samples = self.tried.get(&name).map_or(&[][..], Vec::as_slice);
        let speeds = samples.iter().map(|sample| part.of(sample)).map(|it| it.tokens / it.wall_s);
        Ok(speeds.fold(0.0, f64::max))
    }

    /// Everything that was tried.
    pub(crate) fn tried(&self) -> &BTreeMap<String, Vec<Sample>> {
        &self.tried
    }
}
