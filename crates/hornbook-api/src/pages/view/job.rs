//! One job, lists of jobs, and the form that submits one.

use std::collections::{BTreeMap, BTreeSet};

use hornbook_types::{Cell, Counts, Verdict};
use serde::Serialize;

use super::super::text;
use super::{Bar, Choice, Fact, PullLine, StateMark, When};

/// One job of a list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JobRow {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) endpoints: String,
    pub(crate) state: StateMark,
    pub(crate) bar: Bar,
    pub(crate) accepted: String,
    pub(crate) submitted: When,
}

/// `jobs.html`.
#[derive(Debug, Serialize)]
pub(crate) struct JobsPage {
    pub(crate) jobs: Vec<JobRow>,
    pub(crate) next: Option<String>,
    pub(crate) first: Option<String>,
    pub(crate) post_line: String,
}

/// `job.html`.
#[derive(Debug, Serialize)]
pub(crate) struct JobPage {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) ended: bool,
    /// Address of the events that follow those on the page.
    pub(crate) stream: String,
    pub(crate) state: StateMark,
    pub(crate) message: Option<String>,
    pub(crate) bar: Bar,
    pub(crate) counts: CountsText,
    pub(crate) figures: Vec<FigureText>,
    pub(crate) actions: Vec<ActionButton>,
    pub(crate) corpus: Option<CorpusFacts>,
    pub(crate) pull: Vec<PullLine>,
    pub(crate) errors: Vec<ErrorRow>,
    pub(crate) grid: Grid,
    pub(crate) reasons: Vec<ReasonRow>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) recipe: Vec<RecipeRow>,
    pub(crate) settings: Vec<Fact>,
    pub(crate) spent: Vec<EndpointUseRow>,
    pub(crate) events: Vec<EventRow>,
}

/// Counts as words.
#[derive(Debug, Serialize)]
pub(crate) struct CountsText {
    total: String,
    accepted: String,
    rejected: String,
    failed: String,
    running: String,
}

impl From<&Counts> for CountsText {
    fn from(counts: &Counts) -> Self {
        Self {
            total: text::count(counts.total),
            accepted: text::count(counts.accepted),
            rejected: text::count(counts.rejected),
            failed: text::count(counts.failed),
            running: text::count(counts.running),
        }
    }
}

/// A number with its unit.
#[derive(Debug, Serialize)]
pub(crate) struct FigureText {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) unit: Option<&'static str>,
}

/// A button that does something to the job.
#[derive(Debug, Serialize)]
pub(crate) struct ActionButton {
    pub(crate) verb: &'static str,
    pub(crate) label: &'static str,
    pub(crate) danger: bool,
}

/// The published corpus in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct CorpusFacts {
    pub(crate) rows: String,
    pub(crate) tokens: String,
    pub(crate) partial: bool,
}

/// What one endpoint did for the job.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointUseRow {
    pub(crate) name: String,
    pub(crate) documents: String,
    pub(crate) prompt_tokens: String,
    pub(crate) completion_tokens: String,
    pub(crate) cost: String,
}

/// One kind of error.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorRow {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) count: String,
}

/// One reason for which documents were dropped.
#[derive(Debug, Serialize)]
pub(crate) struct ReasonRow {
    pub(crate) reason: String,
    pub(crate) meaning: String,
    pub(crate) verdict: StateMark,
    pub(crate) count: String,
    pub(crate) href: String,
}

/// One document on the job's page.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) seq: u64,
    pub(crate) href: String,
    pub(crate) audience: String,
    pub(crate) format: String,
    pub(crate) verdict: StateMark,
    pub(crate) text: String,
    pub(crate) prompt: String,
}

/// One line of the recipe.
#[derive(Debug, Serialize)]
pub(crate) struct RecipeRow {
    pub(crate) template: String,
    pub(crate) template_href: String,
    pub(crate) audience: String,
    pub(crate) audience_href: String,
    pub(crate) prompts: String,
}

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct EventRow {
    pub(crate) at: When,
    pub(crate) text: String,
}

/// Documents by audience (rows) and format (columns).
#[derive(Debug, Default, Serialize)]
pub(crate) struct Grid {
    formats: Vec<String>,
    rows: Vec<GridLine>,
}

#[derive(Debug, Serialize)]
struct GridLine {
    audience: String,
    cells: Vec<Option<Tallied>>,
    all: Tallied,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Tallied {
    accepted: u64,
    ended: u64,
}

impl Tallied {
    fn add(&mut self, cell: &Cell) {
        self.ended += cell.count;
        if cell.verdict == Verdict::Accepted {
            self.accepted += cell.count;
        }
    }
}

impl Grid {
    /// Adds up `cells`; rows follow `order`, then whatever it does not name.
    pub(crate) fn new(cells: &[Cell], order: &[String]) -> Self {
        let formats: BTreeSet<&str> = cells.iter().map(|cell| cell.format.as_str()).collect();
        let mut rows: BTreeMap<(usize, &str), BTreeMap<&str, Tallied>> = BTreeMap::new();
        for cell in cells {
            let audience = cell.audience.as_str();
            let place = order.iter().position(|name| name == audience).unwrap_or(order.len());
            let row = rows.entry((place, audience)).or_default();
            row.entry(cell.format.as_str()).or_default().add(cell);
        }
        let rows = rows
            .into_iter()
            .map(|((_, audience), row)| GridLine {
                audience: audience.to_owned(),
                cells: formats.iter().map(|format| row.get(format).copied()).collect(),
                all: row.values().fold(Tallied::default(), |sum, one| Tallied {
                    accepted: sum.accepted + one.accepted,
                    ended: sum.ended + one.ended,
                }),
            })
            .collect();
        Self { formats: formats.into_iter().map(str::to_owned).collect(), rows }
    }
}

/// `job_new.html`.
#[derive(Debug, Serialize)]
pub(crate) struct NewJobPage {
    pub(crate) ready: bool,
    pub(crate) faults: Vec<String>,
    pub(crate) form: JobForm,
}

/// What the form shows.
#[derive(Debug, Serialize)]
pub(crate) struct JobForm {
    pub(crate) name: String,
    pub(crate) seed_sets: Vec<Choice>,
    pub(crate) templates: Vec<Choice>,
    pub(crate) audiences: Vec<Choice>,
    pub(crate) endpoints: Vec<Choice>,
    pub(crate) documents: String,
    pub(crate) max_tokens: String,
    pub(crate) truncated: Vec<Choice>,
    pub(crate) paired: bool,
    pub(crate) counted: Vec<Choice>,
    pub(crate) budget_tokens: String,
    pub(crate) budget_usd: String,
}
