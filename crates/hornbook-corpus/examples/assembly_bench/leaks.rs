//! The items that must not be in the corpus: most are in no document, some are.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::json;

use crate::planted::Planted;
use crate::prose::text;
use crate::{Outcome, SEED};

/// Items that are in no document.
const CLEAN_ITEMS: u64 = 10_000;
/// One document in so many holds an item.
const LEAK_EVERY: u64 = 1_000;
/// Words of an item.
const ITEM_WORDS: std::ops::Range<usize> = 40..70;

/// Writes the benchmark file.
pub(crate) fn write(planted: &Planted, path: &Path) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    let others = Planted::new(CLEAN_ITEMS, SEED ^ 1);
    let clean = (0..CLEAN_ITEMS).map(|item| ("clean", item, others.words(item)));
    let leaked = (0..planted.documents).step_by(LEAK_EVERY as usize);
    let leaked = leaked.map(|index| ("leaked", index, planted.words(index)));
    for (benchmark, item_id, words) in clean.chain(leaked) {
        let text = text(&words[ITEM_WORDS]).to_uppercase();
        let line = json!({"benchmark": benchmark, "item_id": item_id, "text": text});
        writeln!(out, "{line}").map_err(failed)?;
    }
    out.flush().map_err(failed)
}
