//! Documents become a corpus: gates, deduplication, shards, manifest and dataset card.
//!
//! Files in, files out. Nothing here knows a database, a clock or a network, so the
//! same documents always give the same bytes.

mod assemble;
mod build;
mod card;
mod croissant;
pub mod decontaminate;
mod dedup;
mod error;
mod escape;
mod formats;
mod gates;
mod hashing;
mod histogram;
mod manifest;
mod mix;
pub mod near;
mod profile;
mod row;
mod segment;
mod sentence;
mod shards;
mod sources;
mod stage;
mod tokens;
mod words;

pub use assemble::{
    AssembleRequest, Assembled, CpuTime, SeedOrigin, WantedBenchmarks, Work, assemble,
    count_segment, examine_segment,
};
pub use build::{
    BuildContent, BuildManifest, BuildProgress, BuildRequest, BuildSpec, BuildSummary, BuiltFrom,
    NamedSource, SourceLicense, build,
};
pub use dedup::{TextHash, text_hash};
pub use error::AssembleError;
pub use gates::{Answer, Judgement, OpeningCap, judge};
pub use manifest::{MANIFEST_PATH, commit_of, spec_digest};
pub use row::{corpus_row, row_id};
pub use segment::{Segment, SegmentWriter};
pub use shards::ShardLimits;
pub use sources::{SourceFile, find_sources};
pub use stage::stage_segment;
pub use tokens::{CorpusTokenizer, Encoder};
