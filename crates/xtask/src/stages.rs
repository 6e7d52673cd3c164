//! Timed stages and their list at the end.

use std::time::{Duration, Instant};

use crate::Outcome;

/// The stages that ran, in order.
#[derive(Default)]
pub(crate) struct Stages {
    done: Vec<(String, Duration, Outcome)>,
}

impl Stages {
    /// Runs one stage, times it and says how it went; whether it passed is the answer.
    pub(crate) fn run(&mut self, name: &str, stage: impl FnOnce() -> Outcome) -> bool {
        println!("\n==> {name}");
        let begun = Instant::now();
        let outcome = stage();
        if let Err(failure) = &outcome {
            println!("{name} failed: {failure}");
        }
        let passed = outcome.is_ok();
        self.done.push((name.to_owned(), begun.elapsed(), outcome));
        passed
    }

    /// Prints the time of each stage and fails if any of them did.
    pub(crate) fn finish(self) -> Outcome {
        println!("\nstage                        seconds");
        let mut failed = Vec::new();
        for (name, took, outcome) in &self.done {
            let mark = if outcome.is_ok() { "" } else { "  FAILED" };
            println!("{name:<28} {:>7.1}{mark}", took.as_secs_f64());
            if outcome.is_err() {
                failed.push(name.as_str());
            }
        }
        let total: Duration = self.done.iter().map(|(_, took, _)| *took).sum();
        println!("{:<28} {:>7.1}", "all", total.as_secs_f64());
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
    }
}
