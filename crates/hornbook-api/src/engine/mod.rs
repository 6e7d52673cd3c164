//! OpenAI's protocol in front of a [`Backend`](hornbook_inference::Backend): what
//! `hornbook engine` serves. It has no database, no jobs and no pages.
//!
//! [`router()`] is the table of contents. A request passes `finish` (request id, errors in OpenAI's
//! shape), the service's own layers (panics, Host, Origin) and `gate` (the key) before its handler
//! takes the `fields` of its body one by one; what is left over is refused by name. `generate`
//! finds places in the queue and asks the backend; `write` and `stream` put its answers into words.

mod asked;
mod chat_completions;
mod completions;
mod embeddings;
mod fault;
mod fields;
mod finish;
mod gate;
mod generate;
mod healthz;
pub mod limits;
mod logprobs;
mod messages;
mod metrics;
mod models;
mod router;
mod sampling;
mod state;
mod stream;
mod underway;
mod unsupported;
mod write;

pub use router::{router, serve};
pub use state::{EngineKey, EngineParts, EngineState, StreamWaits};
