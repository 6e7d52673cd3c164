//! The crate from its front door: over real HTTP on loopback, and over minutes of simulated time.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod anthropic;
mod anthropic_rules;
mod batch;
mod batch_faults;
mod batch_mock;
mod batch_support;
mod batch_twice;
mod company;
mod cost;
mod far;
mod guard;
mod minutes;
mod openai;
mod support;
mod world;
