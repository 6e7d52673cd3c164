//! Mixed corpora: one of them, and the form that asks for one.

use hornbook_types::CorpusState;
use serde::Serialize;

use super::super::text;
use super::{Choice, Fact, FileRow, PullLine, StateMark, When};

impl From<CorpusState> for StateMark {
    fn from(state: CorpusState) -> Self {
        let tone = match state {
            CorpusState::Queued => "",
            CorpusState::Assembling => "live",
            CorpusState::Ready => "ok",
            CorpusState::Failed => "bad",
        };
        Self::new(text::label(state.as_str()), tone)
    }
}

/// A line of the list of mixed corpora.
#[derive(Debug, Serialize)]
pub(crate) struct MixedRow {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) state: StateMark,
    pub(crate) partial: bool,
    pub(crate) sources: String,
    pub(crate) rows: String,
    pub(crate) tokens: String,
    pub(crate) submitted: When,
}

/// `corpus.html`.
#[derive(Debug, Serialize)]
pub(crate) struct MixedPage {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: StateMark,
    /// True when nothing will happen any more by itself.
    pub(crate) ended: bool,
    /// Why it failed, or what the reader should know.
    pub(crate) message: Option<String>,
    pub(crate) figures: Vec<Fact>,
    pub(crate) partial: bool,
    pub(crate) sources: Vec<SourceRow>,
    pub(crate) settings: Vec<Fact>,
    /// What became of the sources' documents, in order.
    pub(crate) stages: Vec<Fact>,
    /// What the mix says of each of its lines.
    pub(crate) lines: Vec<LineRow>,
    pub(crate) warnings: Vec<String>,
    /// The plan held against its tokens.
    pub(crate) plan_href: Option<String>,
    pub(crate) pull: Vec<PullLine>,
    pub(crate) files: Vec<FileRow>,
    /// True when the reader may ask for a new revision.
    pub(crate) may_write: bool,
}

/// One source of a mixed corpus.
#[derive(Debug, Serialize)]
pub(crate) struct SourceRow {
    pub(crate) name: String,
    pub(crate) of: String,
    pub(crate) href: Option<String>,
    pub(crate) part: String,
    pub(crate) epochs: String,
}

/// What became of one line of a mix.
#[derive(Debug, Serialize)]
pub(crate) struct LineRow {
    pub(crate) name: String,
    pub(crate) available: String,
    pub(crate) wanted: String,
    pub(crate) had: String,
    pub(crate) epochs: String,
    pub(crate) shortfall: String,
}

/// `corpus_new.html`.
#[derive(Debug, Serialize)]
pub(crate) struct NewMixPage {
    pub(crate) faults: Vec<String>,
    pub(crate) form: MixForm,
    /// What a REST client would send.
    pub(crate) post_line: String,
}

/// What can be filled in.
#[derive(Debug, Serialize)]
pub(crate) struct MixForm {
    pub(crate) name: String,
    pub(crate) presets: Vec<Choice>,
    pub(crate) tokens: String,
    pub(crate) dedup: Vec<Choice>,
    pub(crate) sources: Vec<SourceChoice>,
}

/// A source that can be chosen.
#[derive(Debug, Serialize)]
pub(crate) struct SourceChoice {
    /// `job:ID` or `import:NAME`; also the suffix of its fields.
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) detail: String,
    pub(crate) selected: bool,
    pub(crate) weight: String,
    pub(crate) epochs: String,
}

/// `plan.html`.
#[derive(Debug, Serialize)]
pub(crate) struct PlanPage {
    pub(crate) faults: Vec<String>,
    pub(crate) form: PlanForm,
    /// True when the plan is held against what there is.
    pub(crate) has_available: bool,
    pub(crate) rows: Vec<PlanLine>,
    /// Where the figures come from.
    pub(crate) sources: Vec<String>,
}

/// What is to be planned.
#[derive(Debug, Serialize)]
pub(crate) struct PlanForm {
    pub(crate) models: String,
    pub(crate) tokens: String,
    pub(crate) flops: String,
    pub(crate) available_tokens: String,
    pub(crate) max_epochs: String,
}

/// What one model needs for one goal.
#[derive(Debug, Serialize)]
pub(crate) struct PlanLine {
    pub(crate) model: String,
    pub(crate) goal: &'static str,
    pub(crate) tokens: String,
    pub(crate) least_tokens: String,
    pub(crate) least_documents: String,
    pub(crate) epochs: String,
    pub(crate) missing: String,
    pub(crate) warnings: Vec<String>,
}
