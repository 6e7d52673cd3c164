//! What the rows look like: numbers, histograms, openings and groups.

use std::collections::BTreeMap;

use hornbook_types::{CorpusStatistics, Distribution, GroupCounts, RowFunnel};

use super::charts::ChartFile;
use super::counts::percent;
use super::line;
use crate::escape::markdown;
use crate::histogram::number;

/// Most audiences or formats of a table; the manifest has them all.
const LISTED: usize = 100;

/// The section.
pub(super) fn statistics(
    out: &mut String,
    it: &CorpusStatistics,
    funnel: &RowFunnel,
    charts: &[ChartFile],
) {
    line!(out, "## What the rows look like\n");
    splits(out, &it.splits);
    sources(out, &it.sources);
    distributions(out, it);
    for chart in charts {
        line!(out, "![{}]({})\n", markdown(&chart.title), chart.path);
    }
    if it.grades.documents > 0 {
        line!(
            out,
            "Grades are Flesch-Kincaid's, of the {} documents that begin in English and have at least 40 words in 3 \
             sentences of running text. Bands mark the range that was aimed at, thick lines the middle half of the \
             documents, thin ones nine tenths, circles the median.\n",
            it.grades.documents
        );
    }
    cells(out, funnel);
    languages(out, it);
    openings(out, it);
}

fn splits(out: &mut String, splits: &BTreeMap<String, GroupCounts>) {
    line!(out, "| split | rows | tokens |\n|---|---:|---:|");
    for (name, GroupCounts { rows, tokens, .. }) in splits {
        line!(out, "| {} | {rows} | {tokens} |", markdown(name));
    }
    line!(out, "");
}

fn sources(out: &mut String, sources: &BTreeMap<String, GroupCounts>) {
    if sources.is_empty() {
        return;
    }
    line!(out, "| source | documents read | rows | tokens |\n|---|---:|---:|---:|");
    for (name, GroupCounts { documents, rows, tokens }) in sources {
        line!(out, "| {} | {documents} | {rows} | {tokens} |", markdown(name));
    }
    line!(out, "");
}

fn distributions(out: &mut String, it: &CorpusStatistics) {
    line!(out, "| | documents | mean | least | 5 % | 25 % | 50 % | 75 % | 95 % | greatest |");
    line!(out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    row(out, "tokens", &it.tokens);
    row(out, "reading grade", &it.grades);
    for (audience, grades) in it.grades_by_audience.iter().take(LISTED) {
        row(out, &format!("grade for {}", markdown(audience)), grades);
    }
    for (score, numbers) in it.scores.iter().take(LISTED) {
        row(out, &format!("score {}", markdown(score)), numbers);
    }
    line!(out, "");
}

fn row(out: &mut String, name: &str, it: &Distribution) {
    let numbers = [it.mean, it.min, it.p5, it.p25, it.p50, it.p75, it.p95, it.max].map(number);
    line!(out, "| {name} | {} | {} |", it.documents, numbers.join(" | "));
}

/// Rows by audience and format, where documents have any.
fn cells(out: &mut String, funnel: &RowFunnel) {
    let cells: Vec<(&String, &String, u64)> = funnel
        .cells
        .iter()
        .flat_map(|(audience, formats)| {
            formats.iter().map(move |(format, rows)| (audience, format, *rows))
        })
        .filter(|(audience, format, _)| !(audience.is_empty() && format.is_empty()))
        .collect();
    if cells.is_empty() {
        return;
    }
    line!(out, "| audience | format | rows |\n|---|---|---:|");
    for (audience, format, rows) in cells.iter().take(LISTED) {
        line!(out, "| {} | {} | {rows} |", markdown(audience), markdown(format));
    }
    if let Some(more) = cells.len().checked_sub(LISTED).filter(|more| *more > 0) {
        line!(out, "| and {more} more, in `manifest.json` | | |");
    }
    line!(out, "");
}

fn languages(out: &mut String, it: &CorpusStatistics) {
    let all: u64 = it.languages.values().sum();
    if all == 0 {
        return;
    }
    let mut often: Vec<(&String, &u64)> = it.languages.iter().collect();
    often.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let told: Vec<String> = often.iter().map(|(code, count)| format!("{code} {count}")).collect();
    line!(
        out,
        "Languages that the beginnings of {all} documents look like (a short or technical one is often \
         mistaken): {}.\n",
        told.join(", ")
    );
}

fn openings(out: &mut String, it: &CorpusStatistics) {
    let openings = &it.openings;
    line!(out, "## Most frequent openings\n");
    let different = match openings.different {
        Some(different) => format!("{different} different ones"),
        None => format!("counts may be too low by {}", openings.undercount),
    };
    line!(
        out,
        "The first four words of running text, in small letters, of the {} documents that have them; {different}.\n",
        openings.documents
    );
    if openings.top.is_empty() {
        return;
    }
    line!(out, "| opening | documents | share |\n|---|---:|---:|");
    for top in &openings.top {
        let share = percent(top.documents, openings.documents);
        let share = share.split(" (").next().unwrap_or_default();
        line!(out, "| {} | {} | {share} |", markdown(&top.opening), top.documents);
    }
    line!(out, "");
}
