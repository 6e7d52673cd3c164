//! OpenAI's protocol in front of a scripted backend: no model, no database.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by a panic")]

mod answers;
mod app;
mod embeddings;
mod guard;
mod queue;
mod refusals;
mod script;
mod streams;
mod wire;
