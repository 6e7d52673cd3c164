//! From a pinned job to its prompts: templates, the plan, the catalog.
//!
//! Everything here is pure. A template is parsed once ([`CompiledTemplate`]) into a
//! sandbox whose limits are written down in [`sandbox`]; a job's references become a
//! [`hornbook_types::PinnedJobSpec`] in [`pin()`]; and prompt `seq` of that job is computed,
//! never stored, by [`Plan`] (which line, which seed) and [`Prompter`] (the text).

mod catalog;
mod fields;
mod instrument;
mod lint;
mod permute;
mod pin;
mod plan;
mod prompt;
mod rules;
pub mod sandbox;
mod scan;
mod shares;
mod template;

pub use catalog::{Catalog, CatalogError, CatalogSeedSet};
pub use fields::SeedFields;
pub use lint::{
    AUDIENCE_SIMILARITY_MAX, Finding, lint_audience, lint_audience_pair, lint_template, similarity,
};
pub use pin::{ResolvedLine, ResolvedSeedSet, pin};
pub use plan::{Plan, PlannedPrompt};
pub use prompt::{Prompter, estimate_tokens};
pub use shares::prompts_per_line;
pub use template::{CompiledTemplate, JobContext, RenderContext, RenderError, TemplateError};
