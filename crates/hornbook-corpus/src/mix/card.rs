//! What a dataset card tells of a mix and of splits.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hornbook_types::{ANNEALING, GroupCounts, MixReport};

use crate::escape::markdown;

/// Appends the table of a mix; writing to a string cannot fail.
pub(crate) fn mix_section(out: &mut String, report: &MixReport) {
    let _ = writeln!(
        out,
        "## Mix\n\n{} tokens of {} wanted; rows stand in the order of a hash under the seed {}.\n\n\
         | line | sources | available tokens | wanted | tokens | share | documents | rows | epochs | missing |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        report.tokens, report.wanted_tokens, report.seed
    );
    for line in &report.lines {
        let share = 100.0 * line.tokens as f64 / report.tokens.max(1) as f64;
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {share:.2} % | {} | {} | {:.2} | {} |",
            markdown(&line.asked.name),
            markdown(&line.asked.sources.join(", ")),
            line.available_tokens,
            line.wanted_tokens,
            line.tokens,
            line.documents,
            line.rows,
            line.epochs,
            line.shortfall_tokens,
        );
    }
    let _ = writeln!(out);
    for warning in &report.warnings {
        let _ = writeln!(out, "**Note**: {}.\n", markdown(warning));
    }
}

/// Appends the table of splits, if there is more than everything.
pub(crate) fn splits_section(
    out: &mut String,
    shares: &BTreeMap<String, f64>,
    counts: &BTreeMap<String, GroupCounts>,
) {
    if shares.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "## Splits\n\nShares are of tokens, each document counted once. Documents that are similar to each other stand in \
         the same split.\n\n| split | asked | documents | rows | tokens |\n|---|---:|---:|---:|---:|"
    );
    for (name, share) in shares {
        let GroupCounts { documents, rows, tokens } = counts.get(name).cloned().unwrap_or_default();
        let share = 100.0 * share;
        let _ = writeln!(out, "| {name} | {share} % | {documents} | {rows} | {tokens} |");
    }
    if shares.contains_key(ANNEALING) {
        let _ = writeln!(
            out,
            "\n`{ANNEALING}` has the best documents, by their score or else by their distance to what gates refuse: keep it \
             for the end of training."
        );
    }
    let _ = writeln!(out);
}
