//! The crate from its front door, over real HTTP on loopback.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod guard;
mod openai;
mod support;
