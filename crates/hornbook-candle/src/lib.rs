//! The local engine: a GGUF file becomes a [`Backend`](hornbook_inference::Backend) that writes
//! many answers at once.
//!
//! A prompt's way: [`Engine::load`] reads the file (`gguf`), its tokenizer and chat template
//! (`text`) and its weights as 32-bit floats (`model`). A request waits in a bounded queue until
//! the engine's one thread (`schedule`) has a slot free, becomes tokens there, and from then on
//! takes part in every pass: some rows of its prompt at a time, then one row per new token,
//! together with everybody else's rows. A row is `(slot, position, token)`; no pass is padded,
//! and sequences join and leave between any two passes. `sample` draws each next token from the
//! row's logits with a random source of the sequence's own.
//!
//! The same prompt, seed and file give the same answer when the engine does the same passes.
//! What else is in a pass can change the last bits of a product, because `gemm` picks its kernel
//! by the number of rows; near ties may then fall the other way.

mod config;
mod engine;
mod error;
mod gguf;
mod model;
mod sample;
mod schedule;
mod text;

pub use config::{
    CONTEXT_TOKENS_MIN, EngineConfig, KV_BYTES_MAX, QUEUE_PROMPTS, SLOTS_MAX, THREADS_MAX,
};
pub use engine::Engine;
pub use error::LoadError;
