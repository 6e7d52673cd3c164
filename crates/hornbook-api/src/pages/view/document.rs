//! One document, and lists of them.

use serde::Serialize;

use super::{Choice, Fact, StateMark};

/// `document.html`.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentPage {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) seq: u64,
    pub(crate) verdict: StateMark,
    pub(crate) reason: Option<String>,
    pub(crate) meaning: String,
    pub(crate) error: Option<String>,
    pub(crate) audience: String,
    pub(crate) format: String,
    pub(crate) text: String,
    /// True when the text or the prompt is longer than a page shows; `raw` has the whole.
    pub(crate) cut: bool,
    pub(crate) raw: String,
    pub(crate) prompt: String,
    pub(crate) provenance: Vec<Fact>,
    pub(crate) seed: String,
    pub(crate) scores: Vec<Score>,
    pub(crate) previous: Option<String>,
    pub(crate) next: Option<String>,
}

/// A number that a gate measured.
#[derive(Debug, Serialize)]
pub(crate) struct Score {
    pub(crate) label: String,
    pub(crate) value: String,
}

/// `documents.html`.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentsPage {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) filter: Filter,
    pub(crate) documents: Vec<DocumentRow>,
    pub(crate) next: Option<String>,
    pub(crate) first: Option<String>,
}

/// What the list is narrowed to.
#[derive(Debug, Serialize)]
pub(crate) struct Filter {
    pub(crate) verdicts: Vec<Choice>,
    pub(crate) audiences: Vec<Choice>,
    pub(crate) formats: Vec<Choice>,
    pub(crate) reason: Option<String>,
}

/// One document of a list.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentRow {
    pub(crate) seq: u64,
    pub(crate) href: String,
    pub(crate) opening: String,
    pub(crate) audience: String,
    pub(crate) format: String,
    pub(crate) verdict: StateMark,
    pub(crate) reason: Option<String>,
    pub(crate) tokens: String,
}
