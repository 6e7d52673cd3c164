//! The dataset card of a corpus built from files.

use std::fmt::Write as _;

use super::REMOVED_PATH;
use super::manifest::BuildSpec;
use crate::assemble::Tally;
use crate::card::{Header, Input, columns, header, loading, stages};
use crate::escape::markdown;

/// Most sources that a card lists; the manifest has them all.
const SOURCES_LISTED: usize = 100;

/// The whole card; it knows nothing of where the corpus or its sources lie.
pub(super) fn card(name: &str, spec: &BuildSpec, digest: &str, tally: &Tally) -> String {
    let mut out = String::new();
    let formats = &spec.assembly.format;
    header(
        &mut out,
        &Header {
            name,
            license: "",
            rows: tally.funnel.rows,
            tags: &["hornbook"],
            partial: false,
            formats,
        },
    );
    let (rows, tokens) = (tally.funnel.rows, tally.tokens);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "# {}\n\nDocuments of {} files, assembled with Hornbook: {rows} documents, {tokens} tokens. What was \
         left out is in `{REMOVED_PATH}`, each with its reason and the document that stays in its place.\n\n\
         ## Sources\n\n| file | SHA-256 |\n|---|---|\n",
        markdown(name),
        spec.sources.len(),
    );
    for source in spec.sources.iter().take(SOURCES_LISTED) {
        let _ = writeln!(out, "| {} | `{}` |", markdown(&source.file), source.sha256);
    }
    if let Some(more) = spec.sources.len().checked_sub(SOURCES_LISTED).filter(|more| *more > 0) {
        let _ = writeln!(out, "| and {more} more, in `manifest.json` | |");
    }
    let _ = writeln!(
        out,
        "\nDuplicates: `{}`. Gates: {}. The licences of the sources hold for their documents.\n",
        spec.dedup_name(),
        if spec.gates.is_some() { "on" } else { "none" },
    );
    stages(&mut out, &tally.funnel, Input::Files);
    columns(&mut out);
    loading(&mut out, formats);
    let _ = writeln!(out, "Spec digest: `{digest}`");
    out
}

impl BuildSpec {
    fn dedup_name(&self) -> &'static str {
        match self.assembly.dedup {
            hornbook_types::DedupMode::None => "kept",
            hornbook_types::DedupMode::Exact => "exact",
            hornbook_types::DedupMode::Near => "near",
        }
    }
}
