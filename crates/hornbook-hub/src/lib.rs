//! The Hugging Face Hub: pulling a file, finding those of a dataset, pushing a corpus.
//!
//! Endpoint, token and directory are always given; nothing is read from the environment.

mod error;
mod import_dataset;
mod part;
mod pull_model;
mod push;
mod resolve;
mod spec;

pub use error::PullError;
pub use import_dataset::{
    DatasetFile, DatasetFiles, DatasetSpec, IMPORT_BYTES, IMPORT_FILES, list_dataset,
};
pub use pull_model::{PullProgress, pull_model};
pub use push::{
    ByteStream, Directory, PushError, PushFile, PushProgress, PushSpec, Pushed, Source, push,
};
pub use spec::{HUB_ENDPOINT, PullSpec};
