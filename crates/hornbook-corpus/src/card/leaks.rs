//! What was found of benchmarks.

use hornbook_types::CorpusFile;

use super::{CardFacts, line};
use crate::decontaminate::Mode;
use crate::escape::markdown;

/// Path of the list of hits below a corpus.
const HITS_PATH: &str = "decontamination.jsonl";
/// Items that cannot be checked and are named.
const NAMED: usize = 10;

/// The section.
pub(super) fn leaks(out: &mut String, facts: &CardFacts<'_>, files: &[CorpusFile]) {
    line!(out, "## Decontamination\n");
    let Some(report) = facts.leaks else {
        line!(out, "No benchmark was looked for: items of any may stand in this corpus.\n");
        return;
    };
    let mode = match report.mode {
        Mode::Strict => "strict",
        Mode::Reference => "reference (Cosmopedia's published algorithm)",
    };
    line!(
        out,
        "Looked for with the mode {mode} in {} documents; found in {}, which are not in the corpus.\n",
        report.documents,
        report.documents_hit
    );
    line!(out, "| benchmark | items | of them not checked | found | documents |");
    line!(out, "|---|---:|---:|---:|---:|");
    for (name, it) in &report.benchmarks {
        line!(
            out,
            "| {} | {} | {} | {} | {} |",
            markdown(name),
            it.items,
            it.not_checked,
            it.items_hit,
            it.documents_hit
        );
    }
    line!(out, "");
    let unchecked: Vec<String> = report
        .not_checked
        .iter()
        .take(NAMED)
        .map(|it| format!("{} {}", markdown(&it.benchmark), markdown(&it.item_id)))
        .collect();
    if !unchecked.is_empty() {
        let more = report.not_checked.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        line!(
            out,
            "Not checked, because they have too few words to tell: {}{more}.\n",
            unchecked.join(", ")
        );
    }
    if let Some(file) = files.iter().find(|file| file.path == HITS_PATH) {
        line!(
            out,
            "Every hit with the span that overlaps: [`{HITS_PATH}`]({HITS_PATH}), {} lines.\n",
            file.rows.unwrap_or_default()
        );
    }
}
