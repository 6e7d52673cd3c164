//! The local engine: a GGUF file becomes a [`Backend`](hornbook_inference::Backend) that writes
//! many answers at once.
//!
//! A prompt's way: [`Engine::load`] reads the file (`gguf`), its tokenizer and chat template
//! (`text`) and its weights (`model`), which are packed in tiles as `kernel` reads them. A request
//! waits in a bounded queue, becomes tokens on a thread of its own (`schedule::intake`), and gets
//! a slot and pages for its keys and values, of which it shares those that others begin with
//! (`pages`). From then on it takes part in every pass of the engine's thread
//! (`schedule::scheduler`): some rows of its prompt at a time, then one row per new token, together
//! with everybody else's rows. A row is `(sequence, position, token)`; no pass is padded, and
//! sequences join and leave between any two passes. `sample` draws each next token from the row's
//! logits with a random source of the sequence's own, and the answer is told while it is written.
//! `embed` turns texts into vectors beside all that.
//!
//! The same prompt, sampling, seed and file give the same answer on the same instruction set,
//! whatever else is in a pass, however many slots and threads there are: every row is computed
//! by itself, each sum in one fixed order.
//!
//! `docs/ENGINE.md` tells all of it in two pages, and where to add what.

mod config;
mod device;
mod embed;
mod engine;
mod error;
mod gguf;
#[cfg(test)]
mod golden;
mod kernel;
mod model;
mod pages;
mod sample;
mod schedule;
mod tensors;
mod text;

pub use config::{
    CONTEXT_TOKENS_MIN, EngineConfig, KV_BYTES_MAX, QUEUE_PROMPTS, SLOTS_MAX, THREADS_MAX,
};
pub use device::ComputeDevice;
pub use embed::{
    EMBEDDING_TEXT_BYTES_MAX, EmbedError, EmbeddingLoadError, EmbeddingModel, Overlong,
    TextEmbedding,
};
pub use engine::Engine;
pub use error::LoadError;
pub use kernel::InstructionSet;
