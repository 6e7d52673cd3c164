//! The parts of the service, joined; nothing here decides anything about a prompt or a document.

mod batches;
pub(crate) mod catalog;
mod database;
mod datasets;
mod endpoints;
mod engine;
mod initial_key;
mod running;
mod scratch;
mod stop;
mod store;
mod workers;

pub(crate) use database::{Database, require_secret_key};
pub(crate) use datasets::hub;
pub(crate) use running::Running;
pub(crate) use stop::stop_signal;
pub(crate) use workers::{RunningWorker, WorkerParts, start_worker, tokenizer_directories};

pub(crate) use endpoints::{Backends, policy};
pub(crate) use engine::{load as load_engine, load_file};
pub(crate) use store::open as open_store;
