//! What `cargo xtask bench engine` was told.

use std::path::PathBuf;
use std::str::FromStr;

use crate::Outcome;

/// The rows of the table, in order.
pub(crate) const ROWS: [&str; 7] =
    ["decode", "prompt", "single", "prefix", "job", "memory", "avx2"];
/// Types that may be llama.cpp's best, beside the file's own. `Q4_0-pure` has its embeddings in four
/// bits too; `BF16` is fast where the processor multiplies such numbers.
const TYPES: &str = "Q4_0,Q4_0-pure,BF16";
const REPETITIONS: usize = 5;
/// Most repetitions; more would only heat the room.
const REPETITIONS_MAX: usize = 99;
const THREADS: usize = 2;

/// The options, read and checked.
pub(crate) struct Options {
    /// Where llama.cpp's programs are; by default where `bench llama-cpp` puts them.
    pub(crate) llama_cpp: Option<PathBuf>,
    /// Model file; by default the one that `cargo xtask model` fetches.
    pub(crate) model: Option<PathBuf>,
    /// Rows to measure.
    pub(crate) rows: Vec<String>,
    /// Times that everything is measured, in turn.
    pub(crate) repetitions: usize,
    /// Threads of both engines.
    pub(crate) threads: usize,
    /// Cores that both engines are pinned to, as `taskset -c` takes them.
    pub(crate) cores: Option<String>,
    /// Types to requantise the file to for llama.cpp.
    pub(crate) types: Vec<String>,
    /// Where everything measured is written as JSON.
    pub(crate) json: Option<PathBuf>,
    /// Whether docs/PERFORMANCE.md gets the table.
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
            llama_cpp: None,
            model: None,
            rows: list(&ROWS.join(",")),
            repetitions: REPETITIONS,
            threads: THREADS,
            cores: None,
            types: list(TYPES),
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
                "--llama-cpp" => options.llama_cpp = Some(PathBuf::from(value()?)),
                "--model" => options.model = Some(PathBuf::from(value()?)),
                "--rows" => options.rows = list(value()?),
                "--repetitions" => options.repetitions = number(name, value()?)?,
                "--threads" => options.threads = number(name, value()?)?,
                "--cores" => options.cores = Some(value()?.to_owned()),
                "--types" => options.types = list(value()?),
                "--json" => options.json = Some(PathBuf::from(value()?)),
                "--markdown" => options.markdown = true,
                "--check" => options.check = true,
                "--release" => options.release = true,
                unknown => return Err(format!("no such option {unknown}; try 'cargo xtask help'")),
            }
        }
        options.check_ranges()?;
        Ok(options)
    }

    /// Whether a row is to be measured.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.iter().any(|wanted| wanted == row)
    }

    fn check_ranges(&self) -> Outcome {
        if let Some(row) = self.rows.iter().find(|row| !ROWS.contains(&row.as_str())) {
            return Err(format!("no row '{row}'; there are {}", ROWS.join(", ")));
        }
        if !(1..=REPETITIONS_MAX).contains(&self.repetitions) {
            return Err(format!("--repetitions needs 1 to {REPETITIONS_MAX}"));
        }
        if self.threads == 0 {
            return Err("--threads needs at least 1".to_owned());
        }
        Ok(())
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn number<T: FromStr>(name: &str, text: &str) -> Outcome<T> {
    text.parse().map_err(|_| format!("{name} cannot be '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Outcome<Options> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let options = read("--rows decode,job --repetitions 3 --check --cores 4-5").expect("sound");
        assert!(options.wants("decode") && options.wants("job") && !options.wants("memory"));
        assert_eq!((options.repetitions, options.threads, options.check), (3, 2, true));
        assert_eq!(options.cores.as_deref(), Some("4-5"));
        assert_eq!(options.types, ["Q4_0", "Q4_0-pure", "BF16"]);
    }

    #[test]
    fn nonsense_is_named() {
        for (line, named) in [
            ("--rows decode,speed", "speed"),
            ("--repetitions 0", "--repetitions"),
            ("--repetitions many", "many"),
            ("--threads 0", "--threads"),
            ("--json", "--json"),
            ("--fast", "--fast"),
        ] {
            let failure = read(line).err().unwrap_or_else(|| panic!("{line} was taken"));
            assert!(failure.contains(named), "{line}: {failure}");
        }
    }
}
