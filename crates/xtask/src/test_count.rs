//! Passes a test runner's output on and counts what it says.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::Outcome;

/// What a test runner's closing lines add up to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// Adds what one line says, if it is a closing line of nextest or of cargo test.
    fn add_line(&mut self, line: &str) {
        let Some((_, numbers)) = line
            .split_once("tests run: ")
            .or_else(|| line.split_once("test run: "))
            .or_else(|| {
                line.trim_start()
                    .starts_with("test result: ")
                    .then(|| line.split_once(". "))
                    .flatten()
            })
        else {
            return;
        };
        for part in numbers.split([',', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(word)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "skipped" | "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Runs a test runner, adds up its closing lines, and fails when it does or when it ran no test.
pub(crate) fn run(command: &mut Command, total: &mut Count) -> Outcome {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("could not run the tests: {error}"))?;
    let stdout =
        child.stdout.take().map(|pipe| thread::spawn(move || pass_on(pipe, std::io::stdout())));
    let stderr =
        child.stderr.take().map(|pipe| thread::spawn(move || pass_on(pipe, std::io::stderr())));
    let mut count = Count::default();
    for reader in [stdout, stderr].into_iter().flatten() {
        count.add(reader.join().map_err(|_| "reading the tests' output failed")?);
    }
    let status = child.wait().map_err(|error| format!("could not wait for the tests: {error}"))?;
    total.add(count);
    match (status.success(), count.passed) {
        (false, _) => Err(format!("tests failed ({status})")),
        (true, 0) => Err("no test ran".to_owned()),
        (true, _) => Ok(()),
    }
}

fn pass_on(from: impl Read, mut to: impl Write) -> Count {
    let mut count = Count::default();
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        // A reader that went away does not stop the tests.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        count.add_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Count {
        let mut count = Count::default();
        text.lines().for_each(|line| count.add_line(line));
        count
    }

    #[test]
    fn closing_lines_of_both_runners_are_understood() {
        let nextest =
            "     Summary [  87.321s] 27 tests run: 25 passed (2 slow), 2 failed, 1 skipped\n";
        assert_eq!(count(nextest), Count { passed: 25, failed: 2, skipped: 1 });
        let one = "     Summary [   0.055s] 1 test run: 1 passed, 0 skipped\n";
        assert_eq!(count(one), Count { passed: 1, failed: 0, skipped: 0 });
        let libtest = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.01s\n\
                       test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(count(libtest), Count { passed: 4, failed: 2, skipped: 1 });
        assert_eq!(count("test embedded ... ok\n12 passed the door\n"), Count::default());
    }
}
