//! The row `memory`: a job of 1,000 prompts, and one of 1,000,000 for a while.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;

use super::super::figure::{Bar, Figure};
use super::super::process;
use super::cost::PEAK_MB;
use super::house::{self, House};
use super::mock::Mock;
use super::options::Options;
use super::report::{Line, MEGABYTE, Report};
use super::run::{self, Until};

/// The small job.
const FEW: u64 = 1_000;
/// The large one.
pub(crate) const MANY: u64 = 1_000_000;
/// Requests under way.
const IN_FLIGHT: u64 = 64;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Most that memory may grow from the end of the first third to the last third, as a share of it.
const GROWTH: f64 = 1.10;

/// Measures both in fresh services.
pub(crate) fn measure(
    house: &House,
    mock: &Mock,
    options: &Options,
    report: &mut Report,
) -> Outcome {
    println!("memory: {FEW} prompts");
    let limits = json!({"in_flight": IN_FLIGHT});
    let service = house.open(mock, &limits)?;
    mock.reset(0)?;
    let few = run::job(&service, mock, FEW, Until::Ended)?.ended_peak_bytes;
    drop(service);

    let seconds = options.memory_seconds();
    println!("memory: {MANY} prompts for {seconds} s");
    let service = house.open(mock, &limits)?;
    mock.reset(0)?;
    let path = house::submit(&service, MANY)?;
    let (start, mut resident) = (Instant::now(), Vec::new());
    while start.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(LOOK);
        resident.push(process::status_bytes(service.pid(), "VmRSS")?);
    }
    let many = process::status_bytes(service.pid(), "VmHWM")?;
    let answered = mock.seen()?.number("answered")?;
    run::cancel(&service, &path)?;
    drop(service);

    let megabytes = |bytes: f64| Figure::of("MB", vec![bytes / MEGABYTE]);
    let bar = Bar::AtMost(PEAK_MB);
    report.lines.push(
        Line::new("memory", format!("most memory of the service, {FEW} prompts"), megabytes(few))
            .bar(bar),
    );
    report.lines.push(
        Line::new(
            "memory",
            format!("the same, {MANY} prompts submitted, {seconds} s of them"),
            megabytes(many),
        )
        .bar(bar),
    );
    let growth = growth(&resident);
    report.lines.push(
        Line::new(
            "memory",
            "the same: most in the last third of that time, as a share of the first third's most",
            Figure::of("", vec![growth]),
        )
        .bar(Bar::AtMost(GROWTH)),
    );
    report.notes.push(format!(
        "`memory`: {answered:.0} of {MANY} prompts were answered in {seconds} s with {IN_FLIGHT} in flight, answers at \
         once; then the job was cancelled."
    ));
    let samples = json!({
        "few_peak_bytes": few, "many_peak_bytes": many, "answered": answered,
        "look_seconds": LOOK.as_secs_f64(), "resident_bytes": resident,
    });
    report.samples.insert("memory".to_owned(), samples);
    Ok(())
}

/// The most of the last third by the most of the first.
fn growth(resident: &[f64]) -> f64 {
    let third = resident.len() / 3;
    let most = |values: &[f64]| values.iter().copied().fold(f64::NAN, f64::max);
    most(&resident[resident.len() - third..]) / most(&resident[..third])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_compares_the_ends() {
        assert_eq!(growth(&[2.0, 1.0, 9.0, 9.0, 3.0, 1.0]), 1.5);
        assert_eq!(growth(&[2.0; 9]), 1.0);
        assert!(growth(&[]).is_nan());
    }
}
