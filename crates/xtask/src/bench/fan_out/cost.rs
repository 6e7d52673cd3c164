//! The rows `cpu`, `rate-64` and `rate-512`: a job beside the bare loop, in turn.

use serde_json::json;

use crate::Outcome;

use super::super::figure::{Bar, Figure};
use super::bare::{self, Bare};
use super::house::House;
use super::mock::Mock;
use super::options::Options;
use super::paper::Constants;
use super::report::{Line, MEGABYTE, Report, is_disturbed};
use super::run::{self, Ran, Until};

/// Requests under way in the row `cpu`, as the peers were measured.
const CPU_IN_FLIGHT: u64 = 64;
/// The mock's time for an answer in the rows about rates.
const LATENCY_MILLIS: u64 = 200;
/// Most CPU seconds of the service per 1,000 documents: a tenth of the cheapest peer's.
const SERVICE_CPU_S: f64 = 0.26;
/// Most CPU seconds of Postgres: as much again.
const POSTGRES_CPU_S: f64 = 0.26;
/// Least share of the bare loop's rate.
const RATE: f64 = 97.0;
/// Most memory of the service, in MB.
pub(crate) const PEAK_MB: f64 = 120.0;
/// Bytes of a request that are not its prompt: head and fields.
const REQUEST_EXTRA_BYTES: u64 = 330;

/// Jobs and loops in turn.
struct Pairs {
    prompts: u64,
    in_flight: u64,
    ran: Vec<Ran>,
    bare: Vec<Bare>,
}

/// The row `cpu`: the mock answers at once.
pub(crate) fn without_latency(
    house: &House,
    mock: &Mock,
    options: &Options,
    report: &mut Report,
) -> Outcome {
    let pairs =
        measure(house, mock, options, (options.cpu_prompts(), CPU_IN_FLIGHT, 0, Until::Ended))?;
    let Pairs { prompts, in_flight, .. } = pairs;
    let what = format!("{prompts} prompts, answers at once, {in_flight} in flight");
    let bare = format!("bare loop {:.3}", pairs.bare(|bare| bare.cpu_s).median);
    let cpu = "CPU-s per 1,000 documents";
    report.lines.push(
        Line::new("cpu", format!("{what}: service"), pairs.ours(cpu, |ran| ran.service_cpu_s))
            .against(bare)
            .bar(Bar::AtMost(SERVICE_CPU_S)),
    );
    report.lines.push(
        Line::new("cpu", "the same: Postgres", pairs.ours(cpu, |ran| ran.postgres_cpu_s))
            .bar(Bar::AtMost(POSTGRES_CPU_S)),
    );
    report.lines.push(Line::new(
        "cpu",
        "afterwards, until the corpus is there: both",
        pairs.ours(cpu, |ran| ran.assembly_cpu_s),
    ));
    report.lines.push(pairs.peak("cpu"));
    let ended = pairs.ours("MB", |ran| ran.ended_peak_bytes / MEGABYTE);
    report.lines.push(
        Line::new("cpu", "the same, until the corpus is there", ended).bar(Bar::AtMost(PEAK_MB)),
    );
    report.lines.push(
        Line::new("cpu", "the same: speed", pairs.ours("documents/s", |ran| ran.per_s))
            .against(format!("bare loop {:.0}", pairs.bare(|bare| bare.per_s).median))
            .disturbed(pairs.is_disturbed()),
    );
    let median = |value: fn(&Ran) -> f64| pairs.ours("", value).median;
    report.paper = Some(Constants {
        service_cpu_s: median(|ran| ran.service_cpu_s),
        postgres_cpu_s: median(|ran| ran.postgres_cpu_s),
        assembly_cpu_s: median(|ran| ran.assembly_cpu_s),
        table_bytes: median(|ran| ran.table_bytes),
        per_s: median(|ran| ran.per_s),
    });
    pairs.note("cpu", report);
    Ok(())
}

/// The rows about rates: the mock takes 200 ms.
pub(crate) fn with_latency(
    row: &'static str,
    in_flight: u64,
    house: &House,
    mock: &Mock,
    options: &Options,
    report: &mut Report,
) -> Outcome {
    let prompts = in_flight * 1_000 / LATENCY_MILLIS * options.rate_seconds();
    let pairs = measure(house, mock, options, (prompts, in_flight, LATENCY_MILLIS, Until::Stored))?;
    let what =
        format!("{prompts} prompts, answers after {LATENCY_MILLIS} ms, {in_flight} in flight");
    let ratios = pairs.ran.iter().zip(&pairs.bare);
    let ratios = ratios.map(|(ran, bare)| 100.0 * ran.per_s / bare.per_s).collect();
    let per_s = pairs.ours("documents/s", |ran| ran.per_s).median;
    report.lines.push(
        Line::new(row, format!("{what}: rate, submission to storage"), Figure::of("%", ratios))
            .against(format!(
                "{per_s:.0}/s of the bare loop's {:.0}/s",
                pairs.bare(|bare| bare.per_s).median
            ))
            .bar(Bar::AtLeast(RATE))
            .disturbed(pairs.is_disturbed()),
    );
    let cpu = "CPU-s per 1,000 documents";
    let bare = format!("bare loop {:.3}", pairs.bare(|bare| bare.cpu_s).median);
    report.lines.push(
        Line::new(row, "the same: service", pairs.ours(cpu, |ran| ran.service_cpu_s)).against(bare),
    );
    report.lines.push(Line::new(
        row,
        "the same: Postgres",
        pairs.ours(cpu, |ran| ran.postgres_cpu_s),
    ));
    report.lines.push(pairs.peak(row));
    pairs.note(row, report);
    Ok(())
}

/// Runs a job in a fresh service and then the bare loop, as often as was asked for.
fn measure(
    house: &House,
    mock: &Mock,
    options: &Options,
    (prompts, in_flight, latency_millis, until): (u64, u64, u64, Until),
) -> Outcome<Pairs> {
    let mut pairs = Pairs { prompts, in_flight, ran: Vec::new(), bare: Vec::new() };
    for round in 1..=options.repetitions {
        println!(
            "round {round} of {}: {prompts} prompts, {in_flight} in flight, {latency_millis} ms",
            options.repetitions
        );
        let service = house.open(mock, &json!({"in_flight": in_flight}))?;
        mock.reset(latency_millis)?;
        let ran = run::job(&service, mock, prompts, until)?;
        drop(service);
        println!("  {ran:.3?}");
        mock.reset(latency_millis)?;
        // A size, not a measurement: the fraction does not matter.
        let prompt_bytes = (ran.request_bytes as u64).saturating_sub(REQUEST_EXTRA_BYTES);
        let bare = bare::run(house, mock, prompts, in_flight, prompt_bytes)?;
        println!("  {bare:.3?}");
        pairs.ran.push(ran);
        pairs.bare.push(bare);
    }
    Ok(pairs)
}

impl Pairs {
    fn ours(&self, unit: &'static str, value: impl Fn(&Ran) -> f64) -> Figure {
        Figure::of(unit, self.ran.iter().map(value).collect())
    }

    fn peak(&self, row: &'static str) -> Line {
        let peak = self.ours("MB", |ran| ran.peak_bytes / MEGABYTE);
        Line::new(row, "the same: most memory of the service", peak).bar(Bar::AtMost(PEAK_MB))
    }

    fn bare(&self, value: impl Fn(&Bare) -> f64) -> Figure {
        Figure::of("", self.bare.iter().map(value).collect())
    }

    fn is_disturbed(&self) -> bool {
        let ran = self.ran.iter().map(|ran| ran.others_cores);
        is_disturbed(&ran.chain(self.bare.iter().map(|bare| bare.others_cores)).collect::<Vec<_>>())
    }

    /// Keeps every measurement, and says what a reader would ask.
    fn note(&self, row: &str, report: &mut Report) {
        let median = |value: fn(&Ran) -> f64| self.ours("", value).median;
        report.notes.push(format!(
            "`{row}`: requests of {:.0} bytes on average, at most {:.0} under way; the mock used {:.3} CPU-s per 1,000 \
             requests of the service and {:.3} of the loop; {:.1} % of the documents were accepted; from first request \
             to last answer the mock saw {:.0} answers/s; a document takes {:.1} KB in Postgres' tables; anything else kept {:.2} cores busy.",
            median(|ran| ran.request_bytes),
            median(|ran| ran.peak_in_flight),
            median(|ran| ran.mock_cpu_s),
            self.bare(|bare| bare.mock_cpu_s).median,
            100.0 * median(|ran| ran.accepted),
            median(|ran| ran.asked_per_s),
            median(|ran| ran.table_bytes) / 1e3,
            median(|ran| ran.others_cores),
        ));
        let ran = self.ran.iter().map(|ran| {
            json!({
                "documents_per_s": ran.per_s, "answers_per_s": ran.asked_per_s,
                "service_cpu_s": ran.service_cpu_s, "postgres_cpu_s": ran.postgres_cpu_s,
                "assembly_cpu_s": ran.assembly_cpu_s, "mock_cpu_s": ran.mock_cpu_s,
                "accepted": ran.accepted, "request_bytes": ran.request_bytes,
                "peak_in_flight": ran.peak_in_flight, "peak_bytes": ran.peak_bytes,
                "ended_peak_bytes": ran.ended_peak_bytes, "table_bytes": ran.table_bytes,
                "others_cores": ran.others_cores,
            })
        });
        let ran: Vec<_> = ran.collect();
        let bare = self.bare.iter().map(|bare| {
            json!({
                "prompts_per_s": bare.per_s, "cpu_s": bare.cpu_s, "mock_cpu_s": bare.mock_cpu_s,
                "others_cores": bare.others_cores,
            })
        });
        let bare: Vec<_> = bare.collect();
        report.samples.insert(row.to_owned(), json!({"service": ran, "bare_loop": bare}));
    }
}
