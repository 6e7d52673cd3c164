//! Columns of the rows, and how to load them.

use hornbook_records::schema::{COLUMNS, ColumnKind};
use hornbook_types::CorpusFile;

use super::header::splits;
use super::{CardFacts, line};
use crate::croissant::CROISSANT_PATH;
use crate::shards::DATA_DIR;

/// The table of columns.
pub(super) fn columns(out: &mut String) {
    line!(out, "## Columns\n");
    line!(out, "| column | type | meaning |\n|---|---|---|");
    for column in &COLUMNS {
        let kind = match column.kind {
            ColumnKind::Text => "string",
            ColumnKind::Int64 => "int64",
        };
        line!(out, "| `{}` | {kind} | {} |", column.name, column.meaning);
    }
    line!(out, "");
}

/// How to load the corpus with the usual library.
pub(super) fn loading(out: &mut String, facts: &CardFacts<'_>, files: &[CorpusFile]) {
    let splits = splits(files);
    let Some((first, extension)) = splits.first() else { return };
    line!(out, "## How to load\n");
    line!(out, "From this folder:\n");
    line!(out, "```python\nfrom datasets import load_dataset\n");
    line!(out, "corpus = load_dataset(\".\", split=\"{first}\")\n```\n");
    if splits.len() > 1 {
        let names: Vec<String> = splits.iter().map(|(name, _)| format!("`{name}`")).collect();
        line!(out, "Splits: {}.\n", names.join(", "));
    }
    line!(
        out,
        "The rows lie in `{DATA_DIR}/*.{extension}`. `manifest.json` has the size and SHA-256 of every file, \
         `{CROISSANT_PATH}` describes files and columns for machines (Croissant 1.0). {} rows.\n",
        facts.funnel.rows
    );
}
