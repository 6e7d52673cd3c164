//! The service through its front door: real requests to the router, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by a panic")]

#[path = "../../../hornbook-db/tests/common/mod.rs"]
#[expect(dead_code, reason = "shared with the database's own tests, which use all of it")]
mod common;

mod app;
mod auth;
mod benchmarks;
mod budgets;
mod catalog;
mod corpora;
mod corpus;
mod document;
mod endpoints;
mod errors;
mod events;
mod fixtures;
mod hub;
mod imports;
mod jobs;
mod keys;
mod seeds;
mod wire;
