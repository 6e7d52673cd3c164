//! The Hugging Face Hub: pulling a model file.
//!
//! Endpoint, token and directory are always given; nothing is read from the environment.

mod error;
mod part;
mod pull_model;
mod resolve;
mod spec;

pub use error::PullError;
pub use pull_model::{PullProgress, pull_model};
pub use spec::{HUB_ENDPOINT, PullSpec};
