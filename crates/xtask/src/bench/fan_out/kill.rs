//! The row `kill`: what was paid for and lost when the service, or its Postgres, is killed half way.
//!
//! Each answer of the mock begins with its number, so an answer that the mock gave and that no document
//! holds in the end was paid for and lost, whoever lost it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Outcome, shell};

use super::super::figure::{Bar, Figure};
use super::super::http;
use super::super::service::Service;
use super::house::{self, House};
use super::mock::Mock;
use super::options::Options;
use super::report::{Line, Report};
use super::run;

/// Requests under way.
const IN_FLIGHT: u64 = 64;
/// The mock's time for an answer.
const LATENCY_MILLIS: u64 = 50;
/// How often the mock is asked how far it is.
const LOOK: Duration = Duration::from_millis(5);
/// How often the service is asked whether all is stored.
const STORED_LOOK: Duration = Duration::from_millis(250);
/// Longest that an answer waits for company before its group is stored.
const LINGER_MILLIS: f64 = 50.0;
/// Time that storing a group may take on top of that.
const COMMIT_MILLIS: f64 = 100.0;
/// Both together.
const WINDOW_MILLIS: f64 = LINGER_MILLIS + COMMIT_MILLIS;
/// Documents of one page of the list.
const PAGE: usize = 200;

/// What a kill cost.
struct Cost {
    /// Answers given up to the kill.
    answered: usize,
    /// Requests under way at that moment.
    in_flight: f64,
    /// Answers that were younger than one window then.
    in_window: f64,
    /// How long before the kill each answer was given that was lost, in ms; the oldest first.
    lost_millis: Vec<f64>,
    /// Prompts that were asked more than once.
    asked_again: f64,
    /// Documents that came twice or not at all.
    wrong: usize,
    /// From the kill until every document was stored, in seconds.
    rest_s: f64,
}

/// Kills both, each in a job of its own.
pub(crate) fn measure(
    house: &House,
    mock: &Mock,
    options: &Options,
    report: &mut Report,
) -> Outcome {
    let prompts = options.cpu_prompts();
    println!("kill: the service, half way through {prompts} prompts");
    let of_service = kill_the_service(house, mock, prompts)?;
    println!("kill: Postgres, half way through {prompts} prompts");
    let of_postgres = kill_postgres(house, mock, prompts)?;
    tell(
        &format!("{prompts} prompts, the service frozen and killed half way"),
        &of_service,
        report,
    );
    tell(&format!("{prompts} prompts, Postgres killed half way"), &of_postgres, report);
    report.notes.push(format!(
        "`kill`: answers after {LATENCY_MILLIS} ms, {IN_FLIGHT} in flight. A window is at most {LINGER_MILLIS} ms that an \
         answer waits for company, and the commit of its group, for which {COMMIT_MILLIS} ms are allowed here: the \
         oldest answer that was lost tells how long both took."
    ));
    let samples = json!({"service": of_service.json(), "postgres": of_postgres.json()});
    report.samples.insert("kill".to_owned(), samples);
    Ok(())
}

fn tell(what: &str, cost: &Cost, report: &mut Report) {
    let count = |number: f64| Figure::of("", vec![number]);
    let older = cost.lost_millis.iter().filter(|age| **age > WINDOW_MILLIS).count();
    let oldest = cost.lost_millis.first().copied().unwrap_or(0.0);
    report.lines.push(
        Line::new(
            "kill",
            format!("{what}: answers received and lost that were older than one window"),
            count(older as f64),
        )
        .against(format!("{} within it, the oldest {oldest:.0} ms", cost.lost_millis.len() - older))
        .bar(Bar::AtMost(0.0)),
    );
    let allowed = cost.in_flight + cost.in_window;
    report.lines.push(
        Line::new("kill", "the same: prompts asked again", count(cost.asked_again))
            .against(format!(
                "{:.0} in flight, {:.0} in one window",
                cost.in_flight, cost.in_window
            ))
            .bar(Bar::AtMost(allowed)),
    );
    report.lines.push(
        Line::new("kill", "the same: documents twice or not there", count(cost.wrong as f64))
            .against(format!("all stored {:.1} s after the kill", cost.rest_s))
            .bar(Bar::AtMost(0.0)),
    );
}

impl Cost {
    fn json(&self) -> serde_json::Value {
        json!({
            "answered": self.answered, "in_flight": self.in_flight, "in_window": self.in_window,
            "lost_millis": self.lost_millis, "asked_again": self.asked_again, "wrong": self.wrong, "rest_s": self.rest_s,
        })
    }
}

fn kill_the_service(house: &House, mock: &Mock, prompts: u64) -> Outcome<Cost> {
    let (mut service, path) = half_way(house, mock, prompts)?;
    signal("-STOP", service.pid())?;
    let stat = format!("/proc/{}/stat", service.pid());
    run::wait(Instant::now(), Duration::from_micros(100), || {
        let stat = fs::read_to_string(&stat).map_err(|error| format!("{stat}: {error}"))?;
        Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
    })?;
    // What is answered between the freeze and this look counts as received: it is against us.
    let frozen = mock.ledger()?;
    let killed = Instant::now();
    house.kill_and_reopen(&mut service)?;
    finish(&service, &path, mock, prompts, (frozen, killed))
}

fn kill_postgres(house: &House, mock: &Mock, prompts: u64) -> Outcome<Cost> {
    let (service, path) = half_way(house, mock, prompts)?;
    let postmaster = service.postmaster()?;
    signal("-KILL", postmaster)?;
    let (frozen, killed) = (mock.ledger()?, Instant::now());
    let cost = finish(&service, &path, mock, prompts, (frozen, killed))?;
    if service.postmaster()? == postmaster {
        return Err("Postgres was not killed".to_owned());
    }
    Ok(cost)
}

/// A service that has got half of its answers.
fn half_way(house: &House, mock: &Mock, prompts: u64) -> Outcome<(Service, String)> {
    let service = house.open(mock, &json!({"in_flight": IN_FLIGHT}))?;
    mock.reset_with_ledger(LATENCY_MILLIS)?;
    let path = house::submit(&service, prompts)?;
    let half = prompts as f64 / 2.0;
    run::wait(Instant::now(), LOOK, || Ok(mock.seen()?.number("answered")? >= half))?;
    Ok((service, path))
}

/// Waits until all documents are stored, and counts what the kill at `frozen` cost.
fn finish(
    service: &Service,
    path: &str,
    mock: &Mock,
    prompts: u64,
    (frozen, killed): (super::mock::Seen, Instant),
) -> Outcome<Cost> {
    // While Postgres is away the service may answer that it cannot tell.
    run::wait(killed, STORED_LOOK, || Ok(run::is_stored(service, path, prompts).unwrap_or(false)))?;
    let rest_s = killed.elapsed().as_secs_f64();
    let answers = frozen.answers()?;
    let (kept, wrong) = kept(service, path, prompts)?;
    let now_micros = frozen.number("now_micros")?;
    let young = ages(&answers, &BTreeSet::new(), now_micros);
    let lost_millis = ages(&answers, &kept, now_micros);
    let cost = Cost {
        answered: answers.len(),
        in_flight: frozen.number("requests")? - answers.len() as f64,
        in_window: young.iter().filter(|age| **age <= WINDOW_MILLIS).count() as f64,
        lost_millis,
        asked_again: mock.ledger()?.number("asked_again")?,
        wrong,
        rest_s,
    };
    println!(
        "  {} answered, {:.0} in flight, {} lost, {:.0} asked again, all stored after {rest_s:.1} s",
        cost.answered,
        cost.in_flight,
        cost.lost_millis.len(),
        cost.asked_again
    );
    Ok(cost)
}

/// How long before `now` those answers were given that nobody kept, in ms; the oldest first.
fn ages(answers: &BTreeMap<u64, f64>, kept: &BTreeSet<u64>, now_micros: f64) -> Vec<f64> {
    let lost = answers.iter().filter(|(number, _)| !kept.contains(number));
    let mut ages: Vec<f64> = lost.map(|(_, at)| (now_micros - at) / 1e3).collect();
    ages.sort_by(|one, other| other.total_cmp(one));
    ages
}

/// Numbers of the answers that became documents, and how many documents are twice there or missing.
fn kept(service: &Service, path: &str, prompts: u64) -> Outcome<(BTreeSet<u64>, usize)> {
    let (mut numbers, mut seqs, mut twice) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut cursor = String::new();
    loop {
        let list = format!("{path}/documents?limit={PAGE}{cursor}");
        let page = http::get(&service.address, &list)?;
        for document in page["data"].as_array().ok_or("a list without documents")? {
            let seq = document["seq"].as_u64().ok_or("a document without its seq")?;
            twice += usize::from(!seqs.insert(seq));
            numbers.extend(document["text"].as_str().and_then(number));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let missing = (0..prompts).filter(|seq| !seqs.contains(seq)).count();
    Ok((numbers, twice + missing))
}

/// The number that an answer of the mock begins with.
fn number(text: &str) -> Option<u64> {
    text.strip_prefix("Passage ")?.split_once(". ")?.0.parse().ok()
}

fn signal(name: &str, pid: u32) -> Outcome {
    shell::run(Command::new("kill").args([name, &pid.to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_kept_was_lost() {
        let answers = BTreeMap::from([(1, 1_000.0), (2, 2_000.0), (3, 5_000.0)]);
        assert_eq!(ages(&answers, &BTreeSet::from([2]), 6_000.0), [5.0, 1.0]);
        assert!(ages(&answers, &BTreeSet::from([1, 2, 3, 4]), 6_000.0).is_empty());
    }

    #[test]
    fn an_answer_tells_its_number() {
        assert_eq!(number("Passage 17. Many a word."), Some(17));
        assert_eq!(number("Many a word. Passage 17. "), None);
    }
}
