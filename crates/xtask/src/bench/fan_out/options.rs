//! What `cargo xtask bench fan-out` was told, and how large that makes everything.

use std::path::PathBuf;

use crate::Outcome;

/// The row with 64 requests under way.
pub(crate) const RATE_64: &str = "rate-64";
/// The row with 512 requests under way.
pub(crate) const RATE_512: &str = "rate-512";
/// The rows of the table, in order.
pub(crate) const ROWS: [&str; 7] = ["cpu", RATE_64, RATE_512, "memory", "first", "limit", "kill"];
const REPETITIONS: usize = 3;
const REPETITIONS_MAX: usize = 99;

/// The options, read and checked.
#[derive(Debug)]
pub(crate) struct Options {
    /// Rows to measure.
    pub(crate) rows: Vec<String>,
    /// Times that what varies is measured, in turn with its yardstick.
    pub(crate) repetitions: usize,
    /// Whether everything is small: a look, no proof.
    pub(crate) quick: bool,
    /// Where everything measured is written as JSON.
    pub(crate) json: Option<PathBuf>,
    /// Whether the document gets the table.
    pub(crate) markdown: bool,
    /// Whether a missed bar is a failure.
    pub(crate) check: bool,
    /// Whether the release profile is measured instead of the dev profile.
    pub(crate) release: bool,
}

impl Options {
    /// Reads them; the first one that makes no sense is named.
    pub(crate) fn read(arguments: &[String]) -> Outcome<Self> {
        let mut options = Self {
            rows: ROWS.map(str::to_owned).to_vec(),
            repetitions: REPETITIONS,
            quick: false,
            json: None,
            markdown: false,
            check: false,
            release: false,
        };
        let mut words = arguments.iter();
        while let Some(name) = words.next() {
            let mut value =
                || words.next().map(String::as_str).ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--rows" => options.rows = value()?.split(',').map(str::to_owned).collect(),
                "--repetitions" => {
                    let text = value()?;
                    let number = text.parse().map_err(|_| format!("{name} cannot be '{text}'"))?;
                    options.repetitions = number;
                }
                "--quick" => options.quick = true,
                "--json" => options.json = Some(PathBuf::from(value()?)),
                "--markdown" => options.markdown = true,
                "--check" => options.check = true,
                "--release" => options.release = true,
                unknown => return Err(format!("no such option {unknown}; try 'cargo xtask help'")),
            }
        }
        if let Some(row) = options.rows.iter().find(|row| !ROWS.contains(&row.as_str())) {
            return Err(format!("no row '{row}'; there are {}", ROWS.join(", ")));
        }
        if !(1..=REPETITIONS_MAX).contains(&options.repetitions) {
            return Err(format!("--repetitions needs 1 to {REPETITIONS_MAX}"));
        }
        if options.quick && (options.check || options.markdown) {
            return Err("--quick proves nothing: not with --check or --markdown".to_owned());
        }
        Ok(options)
    }

    /// Whether a row is to be measured.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.iter().any(|wanted| wanted == row)
    }

    /// Prompts of the rows `cpu` and `kill`.
    pub(crate) fn cpu_prompts(&self) -> u64 {
        if self.quick { 4_000 } else { 20_000 }
    }

    /// How long the bare loop should take in the rows about rates.
    pub(crate) fn rate_seconds(&self) -> u64 {
        if self.quick { 4 } else { 20 }
    }

    /// How long the job of a million prompts runs.
    pub(crate) fn memory_seconds(&self) -> u64 {
        if self.quick { 9 } else { 40 }
    }

    /// How long requests are counted in the row `limit`: a window and a little more.
    pub(crate) fn limit_seconds(&self) -> u64 {
        if self.quick { 10 } else { 65 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Outcome<Options> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let options = read("--rows cpu,rate-64 --repetitions 5 --check").expect("sound");
        assert!(options.wants("cpu") && options.wants(RATE_64) && !options.wants("memory"));
        assert_eq!((options.repetitions, options.check, options.quick), (5, true, false));
        assert_eq!(options.cpu_prompts(), 20_000);
        assert!(read("--quick").expect("sound").cpu_prompts() < 20_000);
    }

    #[test]
    fn nonsense_is_named() {
        for (line, named) in [
            ("--rows cpu,speed", "speed"),
            ("--repetitions 0", "--repetitions"),
            ("--repetitions many", "many"),
            ("--json", "--json"),
            ("--quick --check", "--quick"),
            ("--fast", "--fast"),
        ] {
            let failure = read(line).expect_err(line);
            assert!(failure.contains(named), "{line}: {failure}");
        }
    }
}
