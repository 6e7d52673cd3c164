//! Workers on a real Postgres and a real directory, with an endpoint whose answers the test decides.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod budget;
#[path = "../../../hornbook-db/tests/common/mod.rs"]
mod common;
mod control;
mod corpus;
mod deaths;
mod decontaminate;
mod endpoint;
mod faults;
mod house;
mod imports;
mod mixed;
mod quota;
mod sharing;
