//! Templates and seed sets.

use serde::Serialize;

use super::{Choice, NamedValue, Piece, Step, When};

/// `templates.html`: the audience x format grid.
#[derive(Debug, Serialize)]
pub(crate) struct TemplatesPage {
    /// The columns.
    pub(crate) audiences: Vec<Step>,
    pub(crate) rows: Vec<GridRow>,
    pub(crate) put_line: String,
}

/// One template as a row.
#[derive(Debug, Serialize)]
pub(crate) struct GridRow {
    pub(crate) slug: String,
    pub(crate) version: u32,
    pub(crate) format: String,
    pub(crate) output: &'static str,
    pub(crate) description: Option<String>,
}

/// `template.html`.
#[derive(Debug, Serialize)]
pub(crate) struct TemplatePage {
    pub(crate) slug: String,
    pub(crate) version: u32,
    pub(crate) outdated: bool,
    pub(crate) format: String,
    pub(crate) output: &'static str,
    pub(crate) description: Option<String>,
    pub(crate) created: When,
    pub(crate) source: Vec<Piece>,
    pub(crate) fields: Vec<String>,
    pub(crate) versions: Vec<VersionLink>,
    pub(crate) diff: Option<DiffForm>,
    pub(crate) preview: Preview,
}

/// The form that compares two versions.
#[derive(Debug, Serialize)]
pub(crate) struct DiffForm {
    pub(crate) from: Vec<Choice>,
    pub(crate) to: Vec<Choice>,
}

/// One version of something.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct VersionLink {
    pub(crate) number: u32,
    pub(crate) current: bool,
    pub(crate) created: When,
}

/// A prompt made from a real seed, or why there is none.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Preview {
    pub(crate) audiences: Vec<Choice>,
    pub(crate) seed_sets: Vec<Choice>,
    pub(crate) seed: u64,
    pub(crate) last_seed: Option<u64>,
    pub(crate) seed_count: Option<String>,
    pub(crate) audience_title: String,
    pub(crate) prompt: Option<String>,
    pub(crate) tokens: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) record: Vec<NamedValue>,
    pub(crate) problem: Option<String>,
}

/// `diff.html`.
#[derive(Debug, Serialize)]
pub(crate) struct DiffPage {
    pub(crate) slug: String,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) added: usize,
    pub(crate) removed: usize,
    pub(crate) lines: Vec<DiffLine>,
}

/// One line of a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DiffLine {
    /// `same`, `add` or `del`.
    pub(crate) kind: &'static str,
    pub(crate) old: Option<usize>,
    pub(crate) new: Option<usize>,
    pub(crate) text: String,
}

/// `seed_sets.html`.
#[derive(Debug, Serialize)]
pub(crate) struct SeedSetsPage {
    pub(crate) sets: Vec<SeedSetRow>,
    pub(crate) put_line: String,
}

/// One seed set.
#[derive(Debug, Serialize)]
pub(crate) struct SeedSetRow {
    pub(crate) slug: String,
    pub(crate) version: u32,
    pub(crate) count: String,
    pub(crate) license: String,
    pub(crate) source: Option<String>,
    pub(crate) fields: Vec<FieldCount>,
    pub(crate) created: When,
}

/// A field with the number of records that have it.
#[derive(Debug, Serialize)]
pub(crate) struct FieldCount {
    pub(crate) name: String,
    pub(crate) count: String,
}

/// `seed_set.html`.
#[derive(Debug, Serialize)]
pub(crate) struct SeedSetPage {
    pub(crate) set: SeedSetRow,
    pub(crate) seeds: Vec<SeedCard>,
    pub(crate) next: Option<String>,
    pub(crate) first: Option<String>,
}

/// One record.
#[derive(Debug, Serialize)]
pub(crate) struct SeedCard {
    pub(crate) seq: u64,
    pub(crate) record: Vec<NamedValue>,
}
