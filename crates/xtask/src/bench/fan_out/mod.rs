//! `cargo xtask bench fan-out`: what the service costs beside a bare loop that does nothing but ask.
//!
//! Three programs besides this one: a mock endpoint, the bare loop, and the service with its private
//! Postgres. What each row measures, and what it leaves out, is told in docs/PERFORMANCE.md.

mod bare;
mod cost;
mod first;
mod house;
mod kill;
mod limit;
mod memory;
mod mock;
mod options;
mod paper;
mod report;
mod run;

use crate::Outcome;
use crate::ambient::Ambient;

use house::House;
use mock::Mock;
use options::{Options, RATE_64, RATE_512};
use report::Report;

/// Measures what was asked for; a missed bar is said, and a failure only with `--check`.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let options = Options::read(arguments)?;
    let house = House::prepare(&options, ambient)?;
    let mut report = Report::new(&house, &options, ambient);
    let mock = Mock::start(&house)?;
    if options.wants("cpu") {
        cost::without_latency(&house, &mock, &options, &mut report)?;
    }
    for (row, in_flight) in [(RATE_64, 64), (RATE_512, 512)] {
        if options.wants(row) {
            cost::with_latency(row, in_flight, &house, &mock, &options, &mut report)?;
        }
    }
    if options.wants("memory") {
        memory::measure(&house, &mock, &options, &mut report)?;
    }
    if options.wants("first") {
        first::measure(&house, &mock, &options, &mut report)?;
    }
    if options.wants("limit") {
        limit::measure(&house, &mock, &options, &mut report)?;
    }
    if options.wants("kill") {
        kill::measure(&house, &mock, &options, &mut report)?;
    }
    report.publish(&options, ambient)
}
