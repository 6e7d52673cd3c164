//! The row `limit`: requests per minute, counted where they arrive.

use std::time::Duration;

use serde_json::json;

use crate::Outcome;

use super::super::figure::{Bar, Figure};
use super::house::{self, House};
use super::memory::MANY;
use super::mock::Mock;
use super::options::Options;
use super::report::{Line, Report};
use super::run;

/// The limit.
const PER_MINUTE: u32 = 600;
/// Least of it that must be used, in percent.
const USE: f64 = 95.0;
/// The mock's time for an answer: more slots than the limit needs are free all the time.
const LATENCY_MILLIS: u64 = 200;

/// Counts a job's requests for a little more than a minute.
pub(crate) fn measure(
    house: &House,
    mock: &Mock,
    options: &Options,
    report: &mut Report,
) -> Outcome {
    let seconds = options.limit_seconds();
    println!("limit: {PER_MINUTE} requests per minute for {seconds} s");
    let service = house.open(mock, &json!({"in_flight": 64, "requests_per_minute": PER_MINUTE}))?;
    mock.reset(LATENCY_MILLIS)?;
    let path = house::submit(&service, MANY)?;
    std::thread::sleep(Duration::from_secs(seconds));
    let seen = mock.windows()?;
    run::cancel(&service, &path)?;
    let (fullest, newest) = (seen.number("fullest_window")?, seen.number("newest_window")?);
    let since_s = (seen.number("now_micros")? - seen.number("first_micros")?) / 1e6;
    let allowed = f64::from(PER_MINUTE) * since_s.min(60.0) / 60.0;
    report.lines.push(
        Line::new(
            "limit",
            format!("{PER_MINUTE} requests per minute, {seconds} s: most requests in any 60 s"),
            Figure::of("requests", vec![fullest]),
        )
        .bar(Bar::AtMost(PER_MINUTE.into())),
    );
    report.lines.push(
        Line::new(
            "limit",
            "the same: use of the limit in the last 60 s",
            Figure::of("%", vec![100.0 * newest / allowed]),
        )
        .bar(Bar::AtLeast(USE)),
    );
    let samples = json!({"fullest": fullest, "newest": newest, "seconds": since_s});
    report.samples.insert("limit".to_owned(), samples);
    Ok(())
}
