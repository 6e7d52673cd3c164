//! `cargo xtask bench engine`: measures all rows and prints their table.

use std::collections::BTreeMap;

use crate::Outcome;
use crate::ambient::Ambient;

use super::contests::{self, Contest};
use super::figure::{Bar, Figure, Phase, Sample, are_disturbed};
use super::options::Options;
use super::report::{Line, Report};
use super::run::Run;
use super::setting::Setting;
use super::tuning::Tuning;
use super::{job, memory};

/// Measures what was asked for; a missed bar is said, and a failure only with `--check`.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let options = Options::read(arguments)?;
    let setting = Setting::prepare(&options, ambient)?;
    let mut report = Report::new(&setting, &options)?;
    if setting.llama_cpp_dir.is_none() {
        println!(
            "no build of llama.cpp: name one with --llama-cpp, or make one with 'cargo xtask bench llama-cpp'"
        );
    }
    compare(&setting, &options, &mut report)?;
    if options.wants("job") {
        job::measure(&setting, &options, &mut report)?;
    }
    if options.wants("memory") {
        memory::measure(&setting, &mut report)?;
    }
    report.publish(&options, ambient)
}

/// A comparison with the way of running llama.cpp that turned out best.
struct Pair {
    contest: Contest,
    theirs: Option<Run>,
}

/// Runs both engines in turn, the whole round as often as was asked for.
fn compare(setting: &Setting<'_>, options: &Options, report: &mut Report) -> Outcome {
    let mut tuning = Tuning::default();
    let mut pairs = Vec::new();
    for contest in contests::all(&options.types) {
        if options.wants(contest.row) {
            let theirs = match setting.llama_cpp_dir {
                Some(_) => Some(tuning.best(&contest.candidates, contest.part, setting)?),
                None => None,
            };
            pairs.push(Pair { contest, theirs });
        }
    }
    let mut runs: Vec<&Run> = Vec::new();
    for run in
        pairs.iter().flat_map(|pair| [Some(&pair.contest.ours), pair.theirs.as_ref()]).flatten()
    {
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for round in 1..=options.repetitions {
        for run in &runs {
            println!("round {round} of {}: {}", options.repetitions, run.name());
            samples.entry(run.name()).or_default().push(run.measure(setting)?);
        }
    }
    for pair in &pairs {
        report.lines.extend(line(pair, &samples, &report.lines));
    }
    report.note_samples(&samples, &tuning);
    Ok(())
}

/// The pair's line; without llama.cpp one line for all comparisons of the same part.
fn line(pair: &Pair, samples: &BTreeMap<String, Vec<Sample>>, before: &[Line]) -> Option<Line> {
    let Pair { contest, theirs } = pair;
    if theirs.is_none() && before.iter().any(|line| line.work == contest.work) {
        return None;
    }
    let samples = |run: &Run| samples.get(&run.name()).map_or(&[][..], Vec::as_slice);
    let figure = |run: &Run| {
        let samples = samples(run);
        let phases: Vec<Phase> = samples.iter().map(|sample| contest.part.of(sample)).collect();
        Figure::speed(&phases)
    };
    let is_disturbed = |run: &Run| {
        let others = samples(run).iter().map(|sample| sample.others_cores);
        are_disturbed(&others.collect::<Vec<_>>())
    };
    let against = theirs.as_ref().map_or_else(String::new, |run| {
        let manner = run.manner();
        let setting = manner.strip_prefix("same file, ").unwrap_or(&manner);
        format!("llama.cpp, {} ({setting})", contest.against)
    });
    Some(Line {
        row: contest.row,
        work: contest.work.to_owned(),
        ours: figure(&contest.ours),
        against,
        theirs: theirs.as_ref().map(figure),
        bar: contest.bar.map(Bar::AtLeast),
        disturbed: is_disturbed(&contest.ours) || theirs.as_ref().is_some_and(is_disturbed),
    })
}
