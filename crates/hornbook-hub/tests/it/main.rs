//! Pulling files from a stand-in Hub on loopback.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod dataset;
mod hub;
mod pull;
