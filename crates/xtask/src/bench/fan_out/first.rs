//! The row `first`: from the submission of a job of 1,000,000 prompts to its first request on the wire.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;

use super::super::figure::{Bar, Figure};
use super::house::{self, House};
use super::memory::MANY;
use super::mock::Mock;
use super::options::Options;
use super::report::{Line, Report};
use super::run;

/// Most milliseconds.
const BAR_MILLIS: f64 = 300.0;
/// Submissions for every repetition of the other rows: each takes little time.
const TIMES: usize = 3;
/// Rest before each, so that the service sleeps as it does when nobody wants anything.
const REST: Duration = Duration::from_secs(2);
/// Slow answers: the job is to be cancelled, not done.
const LATENCY_MILLIS: u64 = 200;

/// Submits to an idle service, time after time.
pub(crate) fn measure(
    house: &House,
    mock: &Mock,
    options: &Options,
    report: &mut Report,
) -> Outcome {
    let service = house.open(mock, &json!({"in_flight": 64}))?;
    let mut millis = Vec::new();
    for time in 1..=options.repetitions * TIMES {
        std::thread::sleep(REST);
        // Both times are the mock's own, so that no two clocks are compared.
        let before = mock.reset(LATENCY_MILLIS)?.number("now_micros")?;
        let path = house::submit(&service, MANY)?;
        let mut first = None;
        run::wait(Instant::now(), Duration::from_millis(5), || {
            first = mock.seen()?.number("first_micros").ok();
            Ok(first.is_some())
        })?;
        millis.extend(first.map(|first| (first - before) / 1e3));
        println!("first request, time {time}: {:.0} ms", millis.last().unwrap_or(&f64::NAN));
        run::cancel(&service, &path)?;
    }
    report.samples.insert("first".to_owned(), json!(millis));
    report.lines.push(
        Line::new(
            "first",
            format!("{MANY} prompts: submission to first request on the wire"),
            Figure::of("ms", millis),
        )
        .bar(Bar::AtMost(BAR_MILLIS)),
    );
    Ok(())
}
