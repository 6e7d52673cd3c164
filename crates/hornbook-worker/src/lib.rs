//! The loops that join the rooms: generate documents, export segments, assemble corpora, clean up.
//!
//! A [`Worker`] leases chunks of jobs that its endpoints may serve, lets every endpoint pull prompts
//! from them, and commits what comes back in fenced groups. Beside that it assembles corpora of jobs
//! whose prompts have ended, and sweeps up after workers that died. Any number of workers may share
//! one database; they never talk to each other.
//!
//! | module | loop |
//! |---|---|
//! | `generate` | permits first, then prompts: claim, render, complete, judge, commit |
//! | `segments`, `assemble` | accepted documents become segments, segments become a corpus |
//! | `ahead` | segments of running jobs, and what assemblies ask of them, before they ask |
//! | `imports` | text of the disk or the Hub becomes files that corpora are assembled from |
//! | `janitor` | expired leases, deleted jobs, old revisions |

mod ahead;
mod assemble;
mod config;
mod generate;
mod imports;
mod janitor;
mod limits;
mod segments;
mod shared;
mod waiting;
mod worker;

pub use config::{BackendFactory, WorkerConfig};
pub use imports::{DatasetFault, DatasetFound, DatasetWanted, Datasets};
pub use worker::{Worker, WorkerHandle};
