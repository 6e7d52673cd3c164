//! All that was measured: for people as a table, for programs as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::ambient::Ambient;

use super::figure::{Bar, Figure, Phase, Sample, are_disturbed, median};
use super::options::Options;
use super::setting::Setting;
use super::tuning::Tuning;
use super::{machine, table};

/// Where the table goes with `--markdown`.
pub(crate) const DOCUMENT: &str = "docs/PERFORMANCE.md";
/// Name of its place there.
const TABLE: &str = "engine";

/// One line of the table.
pub(crate) struct Line {
    pub(crate) row: &'static str,
    pub(crate) work: String,
    pub(crate) ours: Figure,
    pub(crate) against: String,
    pub(crate) theirs: Option<Figure>,
    pub(crate) bar: Option<Bar>,
    /// Whether half of the runs or more were disturbed: such a line proves nothing.
    pub(crate) disturbed: bool,
}

impl Line {
    /// Ours by theirs.
    pub(crate) fn ratio(&self) -> Option<f64> {
        Some(self.ours.median / self.theirs.as_ref()?.median)
    }

    /// The same per CPU second.
    pub(crate) fn cpu_ratio(&self) -> Option<f64> {
        Some(self.ours.per_cpu_s? / self.theirs.as_ref()?.per_cpu_s?)
    }

    /// Whether the bar is met, where there is one and something to compare with; a line that proves nothing meets none.
    pub(crate) fn is_met(&self) -> Option<bool> {
        Some(self.bar?.is_met(self.ratio()?) && !self.disturbed)
    }
}

/// The whole report.
pub(crate) struct Report {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) repetitions: usize,
    pub(crate) lines: Vec<Line>,
    pub(crate) notes: Vec<String>,
    /// Every single measurement, by name.
    pub(crate) samples: BTreeMap<String, Value>,
    tried: BTreeMap<String, Value>,
}

impl Report {
    /// An empty report that knows the machine.
    pub(crate) fn new(setting: &Setting<'_>, options: &Options) -> Outcome<Self> {
        Ok(Self {
            machine: machine::describe(setting)?,
            repetitions: options.repetitions,
            lines: Vec::new(),
            notes: Vec::new(),
            samples: BTreeMap::new(),
            tried: BTreeMap::new(),
        })
    }

    /// Keeps all measurements of the comparisons, and says which were disturbed.
    pub(crate) fn note_samples(
        &mut self,
        samples: &BTreeMap<String, Vec<Sample>>,
        tuning: &Tuning,
    ) {
        for (name, samples) in samples {
            let others: Vec<f64> = samples.iter().map(|sample| sample.others_cores).collect();
            if are_disturbed(&others) {
                let others = median(others);
                self.notes.push(format!(
                    "Disturbed: anything else kept {others:.2} cores busy during '{name}'."
                ));
            }
        }
        let all = |samples: &Vec<Sample>| samples.iter().map(sample_json).collect::<Value>();
        let tried = tuning.tried().iter();
        self.tried = tried.map(|(name, it)| (name.clone(), sample_json(it))).collect();
        self.samples.extend(samples.iter().map(|(name, it)| (name.clone(), all(it))));
    }

    /// Prints the table and writes what was asked for; fails on a missed bar with `--check`.
    pub(crate) fn publish(&self, options: &Options, ambient: &Ambient) -> Outcome {
        let markdown = table::markdown(self);
        println!("\n{markdown}");
        if let Some(path) = &options.json {
            let text = format!("{:#}\n", self.json());
            write(path, &text)?;
        }
        if options.markdown {
            let path = ambient.root.join(DOCUMENT);
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("could not read {}: {error}", path.display()))?;
            write(&path, &replace_table(&text, TABLE, &markdown)?)?;
        }
        let missed = self.lines.iter().filter(|line| line.is_met() == Some(false));
        let missed: Vec<String> =
            missed.map(|line| format!("{} against {}", line.work, line.against)).collect();
        match missed.is_empty() {
            true => Ok(()),
            false if options.check => Err(format!("missed:\n  {}", missed.join("\n  "))),
            false => {
                println!("missed:\n  {}", missed.join("\n  "));
                Ok(())
            }
        }
    }

    fn json(&self) -> Value {
        let machine: BTreeMap<_, _> = self.machine.iter().cloned().collect();
        let lines: Vec<Value> = self.lines.iter().map(line_json).collect();
        json!({
            "machine": machine,
            "repetitions": self.repetitions,
            "lines": lines,
            "notes": self.notes,
            "samples": self.samples,
            "tried": self.tried,
        })
    }
}

fn line_json(line: &Line) -> Value {
    let figure = |figure: &Figure| {
        json!({
            "unit": figure.unit,
            "median": figure.median,
            "least": figure.least,
            "most": figure.most,
            "per_cpu_s": figure.per_cpu_s,
        })
    };
    let bar = line.bar.map(|bar| match bar {
        Bar::AtLeast(bar) => json!({"at_least": bar}),
        Bar::AtMost(bar) => json!({"at_most": bar}),
    });
    json!({
        "row": line.row,
        "work": line.work,
        "ours": figure(&line.ours),
        "against": line.against,
        "theirs": line.theirs.as_ref().map(figure),
        "ratio": line.ratio(),
        "cpu_ratio": line.cpu_ratio(),
        "bar": bar,
        "met": line.is_met(),
        "disturbed": line.disturbed,
    })
}

fn sample_json(sample: &Sample) -> Value {
    let phase = |it: Phase| json!({"tokens": it.tokens, "wall_s": it.wall_s, "cpu_s": it.cpu_s});
    json!({
        "prompt": phase(sample.prompt),
        "decode": phase(sample.decode),
        "others_cores": sample.others_cores,
    })
}

/// The document with another table between the marks of this name.
pub(crate) fn replace_table(text: &str, name: &str, table: &str) -> Outcome<String> {
    let (begin, end) =
        (format!("<!-- {name} table: begin -->\n"), format!("<!-- {name} table: end -->"));
    let missing = || format!("{DOCUMENT} lacks the marks that the {name} table stands between");
    let (before, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{table}{end}{after}"))
}

/// Writes a file and says so.
pub(crate) fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text)
        .map_err(|error| format!("could not write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_replaced_and_nothing_else() {
        let text = "a\n<!-- it table: begin -->\nold\n<!-- it table: end -->\nb\n";
        let new = replace_table(text, "it", "new\n").expect("marks");
        assert_eq!(new, "a\n<!-- it table: begin -->\nnew\n<!-- it table: end -->\nb\n");
        assert!(replace_table(text, "that", "new\n").is_err());
        let document = include_str!("../../../../docs/PERFORMANCE.md");
        assert!(replace_table(document, TABLE, "new\n").is_ok());
    }
}
