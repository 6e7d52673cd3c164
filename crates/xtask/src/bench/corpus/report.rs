//! The table of a benchmark of corpora, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::Outcome;
use crate::ambient::Ambient;

use super::super::figure::{Bar, Figure};
use super::super::machine;
use super::super::report::{DOCUMENT, replace_table, write};
use super::options::Options;

/// One line of the table.
pub(crate) struct Line {
    what: String,
    figure: Figure,
    against: String,
    bar: Option<Bar>,
}

impl Line {
    /// A line that only tells.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, values: Vec<f64>) -> Self {
        let (figure, against) = (Figure::of(unit, values), String::new());
        Self { what: what.into(), figure, against, bar: None }
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

    fn is_met(&self) -> Option<bool> {
        Some(self.bar?.is_met(self.figure.median))
    }

    fn markdown(&self) -> String {
        let bar = match self.bar {
            Some(Bar::AtLeast(bar)) => format!("≥ {bar}"),
            Some(Bar::AtMost(bar)) => format!("≤ {bar}"),
            None => String::new(),
        };
        let met = match self.is_met() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let Figure { unit, median, least, most, .. } = self.figure;
        let digits = match median.abs() {
            whole if whole.fract() == 0.0 || whole >= 100.0 => 0,
            large if large >= 10.0 => 1,
            middle if middle >= 1.0 => 2,
            _ => 4,
        };
        let spread = match least < most {
            true => format!(" ({least:.digits$}–{most:.digits$})"),
            false => String::new(),
        };
        let measured = format!("{median:.digits$}{spread} {unit}");
        format!("| {} | {} | {} | {bar} | {met} |\n", self.what, measured.trim_end(), self.against)
    }

    fn json(&self) -> Value {
        let Figure { unit, median, least, most, .. } = self.figure;
        let bar = self.bar.map(|bar| match bar {
            Bar::AtLeast(bar) => json!({"at_least": bar}),
            Bar::AtMost(bar) => json!({"at_most": bar}),
        });
        json!({
            "what": self.what, "unit": unit, "median": median, "least": least, "most": most,
            "against": self.against, "bar": bar, "met": self.is_met(),
        })
    }
}

/// The whole report.
pub(crate) struct Report {
    /// Name of the table's place in the document.
    table: &'static str,
    machine: Vec<(&'static str, String)>,
    /// The table.
    pub(crate) lines: Vec<Line>,
    /// What a reader would ask.
    pub(crate) notes: Vec<String>,
    /// Every single measurement, by name.
    pub(crate) samples: BTreeMap<String, Value>,
}

impl Report {
    /// An empty report that knows the machine.
    pub(crate) fn new(table: &'static str, options: &Options, ambient: &Ambient) -> Self {
        let profile = if options.release { "release" } else { "dev" };
        let machine = machine::this(ambient, profile, "");
        let (lines, notes) = (Vec::new(), Vec::new());
        Self { table, machine, lines, notes, samples: BTreeMap::new() }
    }

    /// Prints the table and writes what was asked for; fails on a missed bar with `--check`.
    pub(crate) fn publish(&self, options: &Options, ambient: &Ambient) -> Outcome {
        let markdown = self.markdown(options);
        println!("\n{markdown}");
        if let Some(path) = &options.json {
            write(path, &format!("{:#}\n", self.json()))?;
        }
        if options.markdown {
            let path = ambient.root.join(DOCUMENT);
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("could not read {}: {error}", path.display()))?;
            write(&path, &replace_table(&text, self.table, &markdown)?)?;
        }
        let missed = self.lines.iter().filter(|line| line.is_met() == Some(false));
        let missed: Vec<&str> = missed.map(|line| line.what.as_str()).collect();
        if missed.is_empty() {
            return Ok(());
        }
        let missed = format!("missed:\n  {}", missed.join("\n  "));
        if options.check {
            return Err(missed);
        }
        println!("{missed}");
        Ok(())
    }

    fn markdown(&self, options: &Options) -> String {
        let mut text = String::from("| | |\n|---|---|\n");
        for (name, value) in &self.machine {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let quick = if options.quick { " Small sizes: a look, no proof." } else { "" };
        let _ = writeln!(text, "\nMedian of {} (least to most).{quick}\n", options.repetitions);
        text.push_str("| what | measured | beside it | bar | met |\n|---|---|---|---|---|\n");
        self.lines.iter().for_each(|line| text.push_str(&line.markdown()));
        for note in &self.notes {
            let _ = write!(text, "\n- {note}");
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Value {
        let machine: BTreeMap<_, _> = self.machine.iter().cloned().collect();
        let lines: Vec<Value> = self.lines.iter().map(Line::json).collect();
        json!({"machine": machine, "lines": lines, "notes": self.notes, "samples": self.samples})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_bar_is_met() {
        let line = Line::new("recall", "", vec![0.9994]).bar(Bar::AtLeast(0.99));
        assert_eq!(line.markdown(), "| recall | 0.9994 |  | ≥ 0.99 | yes |\n");
        let line = Line::new("speed", "docs/CPU-s", vec![20_000.5, 30_000.5, 26_000.5]);
        let line = line.against("it".to_owned()).bar(Bar::AtLeast(27_000.0));
        let row = "| speed | 26000 (20000–30000) docs/CPU-s | it | ≥ 27000 | **no** |\n";
        assert_eq!(line.markdown(), row);
        assert_eq!(Line::new("told", "", Vec::new()).bar(Bar::AtMost(1.0)).is_met(), Some(false));
    }

    #[test]
    fn the_document_has_a_place_for_each_table() {
        let document = include_str!("../../../../../docs/PERFORMANCE.md");
        for table in ["corpus-near", "corpus-decontaminate", "corpus-assembly", "corpus-tokens"] {
            assert!(replace_table(document, table, "new\n").is_ok(), "{table}");
        }
    }
}
