//! The report as Markdown.

use std::fmt::Write as _;

use super::figure::{Bar, Figure};
use super::report::{Line, Report};

/// Machine, table and notes.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = String::from("| | |\n|---|---|\n");
    for (name, value) in &report.machine {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let _ = writeln!(
        text,
        "\nMedian of {} (least to most); speeds in tokens per second of wall clock, in brackets per CPU second.\n",
        report.repetitions
    );
    text.push_str("| work | ours | against | theirs | ratio | of CPU | bar | met |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    for line in &report.lines {
        text.push_str(&row(line));
    }
    for note in &report.notes {
        let _ = write!(text, "\n- {note}");
    }
    if !report.notes.is_empty() {
        text.push('\n');
    }
    text
}

fn row(line: &Line) -> String {
    let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
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
    format!(
        "| {} | {} | {} | {} | {} | {} | {bar} | {met} |\n",
        line.work,
        figure(&line.ours),
        line.against,
        line.theirs.as_ref().map_or_else(String::new, figure),
        ratio(line.ratio()),
        ratio(line.cpu_ratio()),
    )
}

fn figure(figure: &Figure) -> String {
    let Figure { unit, median, least, most, per_cpu_s } = figure;
    let unit = if *unit == "tokens/s" { String::new() } else { format!(" {unit}") };
    let per_cpu_s = per_cpu_s.map_or_else(String::new, |speed| format!(" [{speed:.0}]"));
    if least < most {
        return format!("{median:.0}{unit} ({least:.0}–{most:.0}){per_cpu_s}");
    }
    format!("{median:.0}{unit}{per_cpu_s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_bar_is_met() {
        let figure = |median| Figure {
            unit: "tokens/s",
            median,
            least: median - 1.0,
            most: median + 1.0,
            per_cpu_s: Some(median / 2.0),
        };
        let mut line = Line {
            row: "decode",
            work: "work".to_owned(),
            ours: figure(430.0),
            against: "them".to_owned(),
            theirs: Some(figure(100.0)),
            bar: Some(Bar::AtLeast(4.3)),
            disturbed: false,
        };
        let met = "| work | 430 (429–431) [215] | them | 100 (99–101) [50] | 4.30 | 4.30 | ≥ 4.3 | yes |\n";
        assert_eq!(row(&line), met);
        line.disturbed = true;
        assert!(row(&line).ends_with("| **disturbed** |\n"));
        line.disturbed = false;
        line.ours = Figure::of("MiB", vec![130.0]);
        line.bar = Some(Bar::AtMost(1.2));
        let missed = "| work | 130 MiB | them | 100 (99–101) [50] | 1.30 |  | ≤ 1.2 | **no** |\n";
        assert_eq!(row(&line), missed);
        line.theirs = None;
        assert_eq!(row(&line), "| work | 130 MiB | them |  |  |  | ≤ 1.2 |  |\n");
    }
}
