//! The nouns of Hornbook: what a job, a document, an audience or a corpus *is*.
//!
//! Everything here is plain data with its own validation; nothing in this crate
//! does I/O, reads a clock or draws a random number. Each noun of the service's
//! vocabulary lives in the module of that name.

mod assembly;
mod audience;
mod clock;
mod corpus;
mod document;
mod endpoint;
mod event;
mod gate;
mod hash;
mod id;
mod import;
mod invalid;
mod job;
mod key;
mod license;
pub mod limits;
mod mix;
mod mix_preset;
mod mixed;
mod planner;
mod response_format;
mod sampling;
mod seed;
mod state;
mod statistics;
mod stats;
mod template;

pub use assembly::{ANNEALING, AssemblySpec, DedupMode, ShardFormat, TRAIN, tokenizer_places};
pub use audience::{AudienceSpec, GradeRange, TokenRange};
pub use clock::{Clock, SystemClock};
pub use corpus::{
    CorpusFile, CorpusRow, Manifest, ManifestContent, ManifestRun, RowFunnel, TokenizerFacts,
};
pub use document::{Document, FinishReason, Usage, Verdict};
pub use endpoint::{
    EndpointKind, EndpointLimits, EndpointPreset, EndpointPrice, EndpointSpec, EndpointState,
    LOCAL_ENDPOINT,
};
pub use event::{EventKind, JobEvent};
pub use gate::{Ending, GatePreset, GateSpec, Language, Looped, Mask, Reason, Truncated};
pub use hash::mix;
pub use id::{Pinned, Reference, Slug};
pub use import::{ImportKind, ImportOrigin, ImportState};
pub use invalid::{FieldError, Invalid};
pub use job::{
    Budget, BudgetEnd, JobSpec, LineQuota, PinnedJobSpec, PinnedLine, RecipeLine, SeedSource,
};
pub use key::{KeyQuota, Scope};
pub use license::Redistribution;
pub use mix::{
    EPOCHS_WITHOUT_LOSS, FilterColumn, MixFilter, MixLine, MixLineReport, MixReport, MixSource,
    MixSpec, SourceKind,
};
pub use mix_preset::MixPreset;
pub use mixed::{CorpusSpec, CorpusState, MixedContent, MixedManifest, MixedRun, source_name};
pub use planner::{Plan, PlanAvailable, PlanGoal, PlanRequest, PlanRow, plan};
pub use response_format::{NamedSchema, ResponseFormat};
pub use sampling::{JobSeed, Sampling};
pub use seed::SeedRecord;
pub use state::{JobAction, JobState};
pub use statistics::{Bin, CorpusStatistics, Distribution, GroupCounts, OpeningCount, Openings};
pub use stats::{Cell, Counts, EndpointUsage, ErrorCount, QuotaProgress, UsageTotals};
pub use template::{OutputKind, TemplateSpec};
