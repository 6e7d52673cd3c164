//! The table of `bench fan-out`, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::Outcome;
use crate::ambient::Ambient;

use super::super::figure::{Bar, Figure};
use super::super::machine;
use super::super::report::{DOCUMENT, replace_table, write};
use super::house::{self, House};
use super::options::Options;
use super::paper::Constants;

/// Name of the table's place in the document.
const TABLE: &str = "fan-out";
/// Memory is told in these.
pub(crate) const MEGABYTE: f64 = 1e6;
/// Cores in others' hands that make a comparison of rates worthless. More than `bench engine` allows: what
/// the kernel does for connections on loopback counts as others' here.
const OTHERS_CORES_MAX: f64 = 0.3;

/// Whether so much else went on in half of the runs or more that rates prove nothing.
pub(crate) fn is_disturbed(others_cores: &[f64]) -> bool {
    let disturbed = others_cores.iter().filter(|cores| **cores > OTHERS_CORES_MAX).count();
    disturbed > 0 && disturbed * 2 >= others_cores.len()
}

/// One line of the table.
pub(crate) struct Line {
    row: &'static str,
    what: String,
    figure: Figure,
    against: String,
    bar: Option<Bar>,
    disturbed: bool,
}

impl Line {
    /// A line that only tells.
    pub(crate) fn new(row: &'static str, what: impl Into<String>, figure: Figure) -> Self {
        let (what, against) = (what.into(), String::new());
        Self { row, what, figure, against, bar: None, disturbed: false }
    }

    /// What to read it against.
    pub(crate) fn against(mut self, against: String) -> Self {
        self.against = against;
        self
    }

    /// What it must be.
    pub(crate) fn bar(mut self, bar: Bar) -> Self {
        self.bar = Some(bar);
        self
    }

    /// Whether it proves nothing because of what else went on.
    pub(crate) fn disturbed(mut self, disturbed: bool) -> Self {
        self.disturbed = disturbed;
        self
    }

    /// Whether the bar is met, where there is one; a line that proves nothing meets none.
    fn is_met(&self) -> Option<bool> {
        Some(self.bar?.is_met(self.figure.median) && !self.disturbed)
    }
}

/// The whole report.
pub(crate) struct Report {
    machine: Vec<(&'static str, String)>,
    repetitions: usize,
    quick: bool,
    /// The table.
    pub(crate) lines: Vec<Line>,
    /// What a reader would ask.
    pub(crate) notes: Vec<String>,
    /// What the constants make of more work.
    pub(crate) paper: Option<Constants>,
    /// Every single measurement, by row.
    pub(crate) samples: BTreeMap<String, Value>,
}

impl Report {
    /// An empty report that knows the machine.
    pub(crate) fn new(house: &House, options: &Options, ambient: &Ambient) -> Self {
        let mut machine = machine::this(ambient, house.profile, ", shared by all programs");
        machine.push(("file system of Postgres", house::file_system(&std::env::temp_dir())));
        Self {
            machine,
            repetitions: options.repetitions,
            quick: options.quick,
            lines: Vec::new(),
            notes: Vec::new(),
            paper: None,
            samples: BTreeMap::new(),
        }
    }

    /// Prints the table and writes what was asked for; fails on a missed bar with `--check`.
    pub(crate) fn publish(&self, options: &Options, ambient: &Ambient) -> Outcome {
        let markdown = self.markdown();
        println!("\n{markdown}");
        if let Some(path) = &options.json {
            write(path, &format!("{:#}\n", self.json()))?;
        }
        if options.markdown {
            let path = ambient.root.join(DOCUMENT);
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("could not read {}: {error}", path.display()))?;
            write(&path, &replace_table(&text, TABLE, &markdown)?)?;
        }
        let missed = self.lines.iter().filter(|line| line.is_met() == Some(false));
        let missed: Vec<&str> = missed.map(|line| line.what.as_str()).collect();
        match missed.is_empty() {
            true => Ok(()),
            false if options.check => Err(format!("missed:\n  {}", missed.join("\n  "))),
            false => {
                println!("missed:\n  {}", missed.join("\n  "));
                Ok(())
            }
        }
    }

    fn markdown(&self) -> String {
        let mut text = String::from("| | |\n|---|---|\n");
        for (name, value) in &self.machine {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let quick = if self.quick { " Small sizes: a look, no proof." } else { "" };
        let _ = writeln!(text, "\nMedian of {} (least to most).{quick}\n", self.repetitions);
        text.push_str("| what | measured | beside it | bar | met |\n|---|---|---|---|---|\n");
        for line in &self.lines {
            text.push_str(&row(line));
        }
        for note in &self.notes {
            let _ = write!(text, "\n- {note}");
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        text.extend(self.paper.map(|constants| constants.markdown()));
        text
    }

    fn json(&self) -> Value {
        let machine: BTreeMap<_, _> = self.machine.iter().cloned().collect();
        let lines = self.lines.iter().map(|line| {
            json!({
                "row": line.row,
                "what": line.what,
                "unit": line.figure.unit,
                "median": line.figure.median,
                "least": line.figure.least,
                "most": line.figure.most,
                "against": line.against,
                "bar": line.bar.map(|bar| match bar {
                    Bar::AtLeast(bar) => json!({"at_least": bar}),
                    Bar::AtMost(bar) => json!({"at_most": bar}),
                }),
                "met": line.is_met(),
                "disturbed": line.disturbed,
            })
        });
        json!({
            "machine": machine,
            "repetitions": self.repetitions,
            "quick": self.quick,
            "lines": lines.collect::<Vec<_>>(),
            "notes": self.notes,
            "samples": self.samples,
        })
    }
}

fn row(line: &Line) -> String {
    let bar = match line.bar {
        Some(Bar::AtLeast(bar)) => format!("≥ {bar}"),
        Some(Bar::AtMost(bar)) => format!("≤ {bar}"),
        None => String::new(),
    };
    let met = match line.is_met() {
        Some(_) if line.disturbed => "**disturbed**",
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    let Figure { unit, median, least, most, .. } = &line.figure;
    let are_counts = [median, least, most].iter().all(|value| value.fract() == 0.0);
    let digits = if are_counts { 0 } else { digits(*median) };
    let number = |value: &f64| format!("{value:.digits$}");
    let spread = match least < most {
        true => format!(" ({}–{})", number(least), number(most)),
        false => String::new(),
    };
    let measured = format!("{}{spread} {unit}", number(median));
    format!("| {} | {} | {} | {bar} | {met} |\n", line.what, measured.trim_end(), line.against)
}

/// Digits behind the point that tell a number to about three places.
fn digits(value: f64) -> usize {
    match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 1.0 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_bar_is_met() {
        let cheap = Figure::of("CPU-s", vec![0.25, 0.2, 0.3]);
        let line = Line::new("cpu", "work", cheap).bar(Bar::AtMost(0.26)).against("it".to_owned());
        assert_eq!(row(&line), "| work | 0.250 (0.200–0.300) CPU-s | it | ≤ 0.26 | yes |\n");
        let line = line.bar(Bar::AtMost(0.24));
        assert!(row(&line).ends_with("| ≤ 0.24 | **no** |\n"));
        assert_eq!(line.disturbed(true).is_met(), Some(false));
        let told = Line::new("cpu", "told", Figure::of("", vec![1234.5]));
        assert_eq!(row(&told), "| told | 1234 |  |  |  |\n");
        let counted = Line::new("kill", "counted", Figure::of("", vec![0.0, 7.0]));
        assert_eq!(row(&counted), "| counted | 3.50 (0.00–7.00) |  |  |  |\n");
        let counted = Line::new("kill", "counted", Figure::of("", vec![0.0]));
        assert_eq!(row(&counted), "| counted | 0 |  |  |  |\n");
        // What was not measured meets no bar.
        let nothing = Line::new("cpu", "work", Figure::of("ms", Vec::new()));
        assert_eq!(nothing.bar(Bar::AtMost(300.0)).is_met(), Some(false));
    }

    #[test]
    fn half_of_the_runs_may_not_be_disturbed() {
        assert!(!is_disturbed(&[]) && !is_disturbed(&[0.1, 0.9, 0.2]));
        assert!(is_disturbed(&[0.1, 0.9]));
    }

    #[test]
    fn the_document_has_a_place_for_the_table() {
        let document = include_str!("../../../../../docs/PERFORMANCE.md");
        assert!(replace_table(document, TABLE, "new\n").is_ok());
    }
}
