//! The parts of the service, joined; nothing here decides anything about a prompt or a document.

pub(crate) mod catalog;
mod database;
mod endpoints;
mod engine;
mod initial_key;
mod running;
mod stop;
mod store;
mod workers;

pub(crate) use database::Database;
pub(crate) use running::Running;
pub(crate) use stop::stop_signal;
pub(crate) use workers::{WorkerParts, start_worker};

pub(crate) use endpoints::{Backends, policy};
pub(crate) use engine::load as load_engine;
pub(crate) use store::open as open_store;
