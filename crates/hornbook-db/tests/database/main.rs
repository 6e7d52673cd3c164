//! The crate's promises, kept on a real Postgres: one migrated database for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod fixtures;

mod assembly;
mod batches;
mod budgets;
mod catalog;
mod claims;
mod commits;
mod deletion;
mod endpoints;
mod events;
mod fairness;
mod imports;
mod interleavings;
mod mixed;
mod quotas;
mod requests;
mod retries;
mod seeds;
mod shares;
mod transitions;
