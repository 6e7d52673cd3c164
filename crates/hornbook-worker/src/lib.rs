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
//! | `janitor` | expired leases, deleted jobs, old revisions |

mod ahead;
mod assemble;
mod config;
mod generate;
mod janitor;
mod limits;
mod segments;
mod shared;
mod waiting;
mod worker;

pub use config::{BackendFactory, WorkerConfig};
pub use worker::{Worker, WorkerHandle};
