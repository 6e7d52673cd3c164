//! The mock endpoint in its own process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::Outcome;

use super::super::{http, process};
use super::house::House;

/// A running mock endpoint; it ends when dropped.
pub(crate) struct Mock {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Mock {
    /// Starts it and waits until it listens.
    pub(crate) fn start(house: &House) -> Outcome<Self> {
        let mut child = Command::new(&house.mock)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("could not start the mock endpoint: {error}"))?;
        let stdout = child.stdout.take();
        let mut mock = Self { child, address: String::new() };
        let line = stdout.and_then(|stdout| BufReader::new(stdout).lines().next()?.ok());
        let address = line.as_deref().and_then(|line| line.strip_prefix("listening on http://"));
        mock.address = address.ok_or("the mock endpoint did not start")?.to_owned();
        Ok(mock)
    }

    /// Forgets what it saw and answers after so long from now on; what it says of the moment.
    pub(crate) fn reset(&self, latency_millis: u64) -> Outcome<Seen> {
        let path = format!("/reset/{latency_millis}");
        http::post(&self.address, &path, &json!({})).map(Seen)
    }

    /// The same, and it keeps a ledger from now on.
    pub(crate) fn reset_with_ledger(&self, latency_millis: u64) -> Outcome<Seen> {
        let path = format!("/reset/{latency_millis}/ledger");
        http::post(&self.address, &path, &json!({})).map(Seen)
    }

    /// What it saw since the last reset.
    pub(crate) fn seen(&self) -> Outcome<Seen> {
        http::get(&self.address, "/stats").map(Seen)
    }

    /// The same, with the requests of windows of 60 s.
    pub(crate) fn windows(&self) -> Outcome<Seen> {
        http::get(&self.address, "/stats/windows").map(Seen)
    }

    /// The same, with every answer.
    pub(crate) fn ledger(&self) -> Outcome<Seen> {
        http::get(&self.address, "/stats/ledger").map(Seen)
    }

    /// CPU seconds that it used so far.
    pub(crate) fn cpu_s(&self) -> f64 {
        process::own_cpu_s(self.child.id())
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What the mock saw; times are its own, so two of them can be compared.
pub(crate) struct Seen(Value);

impl Seen {
    /// One of its numbers.
    pub(crate) fn number(&self, name: &str) -> Outcome<f64> {
        self.0[name].as_f64().ok_or_else(|| format!("the mock endpoint told no {name}: {}", self.0))
    }

    /// Number of each answer, and when it was given in microseconds; of a ledger alone.
    pub(crate) fn answers(&self) -> Outcome<BTreeMap<u64, f64>> {
        let answers = self.0["answers"].as_array().ok_or("the mock endpoint kept no ledger")?;
        let read = |answer: &Value| Some((answer[0].as_u64()?, answer[1].as_f64()?));
        let read: Option<BTreeMap<u64, f64>> = answers.iter().map(read).collect();
        read.ok_or_else(|| "the mock endpoint's ledger made no sense".to_owned())
    }
}
