//! What each page shows, as plain data: no database, no HTTP, no clock.
//!
//! A page's handler turns what the database says into one of these values, and the
//! template of the same name prints it. Every number and date is already text.

mod catalog;
mod common;
mod corpus;
mod document;
mod imports;
mod job;
mod ladder;
mod mixed;
mod source;

pub(crate) use catalog::{
    DiffForm, DiffLine, DiffPage, FieldCount, GridRow, Preview, SeedCard, SeedSetPage, SeedSetRow,
    SeedSetsPage, TemplatePage, TemplatesPage, VersionLink,
};
pub(crate) use common::{Bar, Choice, Fact, NamedValue, StateMark, When, record};
pub(crate) use corpus::{CorporaPage, CorpusCard, FileRow, PullLine, file_row, pull_lines};
pub(crate) use document::{DocumentPage, DocumentRow, DocumentsPage, Filter, Score};
pub(crate) use imports::{BenchmarkRow, ImportRow, ImportsPage};
pub(crate) use job::{
    ActionButton, CorpusFacts, CountsText, EndpointUseRow, ErrorRow, EventRow, FigureText, Grid,
    JobForm, JobPage, JobRow, JobsPage, NewJobPage, ReasonRow, RecipeRow, Sample,
};
pub(crate) use ladder::{
    AudiencePage, AudiencesPage, EndpointCard, EndpointsPage, HomePage, LabelledLink, Ladder, Step,
    Tally, audience_choices,
};
pub(crate) use mixed::{
    LineRow, MixForm, MixedPage, MixedRow, NewMixPage, PlanForm, PlanLine, PlanPage, SourceChoice,
    SourceRow,
};
pub(crate) use source::{Piece, pieces};
