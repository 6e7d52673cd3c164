//! What a benchmark of corpora was told.

use std::path::PathBuf;

use crate::Outcome;

const REPETITIONS: usize = 3;
const REPETITIONS_MAX: usize = 99;

/// The options, read and checked.
#[derive(Debug)]
pub(crate) struct Options {
    /// Times that what varies is measured.
    pub(crate) repetitions: usize,
    /// Whether everything is small: a look, no proof.
    pub(crate) quick: bool,
    /// Whether what takes long is measured too.
    pub(crate) full: bool,
    /// Documents of what takes long, instead of the benchmark's own number.
    pub(crate) many: Option<u64>,
    /// Whether others' programs are installed and measured too.
    pub(crate) peers: bool,
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
            repetitions: REPETITIONS,
            quick: false,
            full: false,
            many: None,
            peers: false,
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
                "--repetitions" => {
                    let text = value()?;
                    let number = text.parse().map_err(|_| format!("{name} cannot be '{text}'"))?;
                    options.repetitions = number;
                }
                "--quick" => options.quick = true,
                "--full" => options.full = true,
                "--many" => {
                    let text = value()?;
                    let number = text.parse().map_err(|_| format!("{name} cannot be '{text}'"))?;
                    options.many = Some(number);
                }
                "--peers" => options.peers = true,
                "--json" => options.json = Some(PathBuf::from(value()?)),
                "--markdown" => options.markdown = true,
                "--check" => options.check = true,
                "--release" => options.release = true,
                unknown => return Err(format!("no such option {unknown}; try 'cargo xtask help'")),
            }
        }
        if !(1..=REPETITIONS_MAX).contains(&options.repetitions) {
            return Err(format!("--repetitions needs 1 to {REPETITIONS_MAX}"));
        }
        if options.quick && (options.check || options.markdown || options.full) {
            return Err("--quick proves nothing: not with --check, --markdown or --full".to_owned());
        }
        Ok(options)
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
        let options = read("--repetitions 5 --check --full --peers").expect("sound");
        assert_eq!((options.repetitions, options.check, options.quick), (5, true, false));
        assert!(options.full && options.peers);
    }

    #[test]
    fn nonsense_is_named() {
        for (line, named) in [
            ("--repetitions 0", "--repetitions"),
            ("--repetitions many", "many"),
            ("--json", "--json"),
            ("--many few", "few"),
            ("--quick --check", "--quick"),
            ("--fast", "--fast"),
        ] {
            let failure = read(line).expect_err(line);
            assert!(failure.contains(named), "{line}: {failure}");
        }
    }
}
