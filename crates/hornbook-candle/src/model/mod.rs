//! The Llama forward pass over rows of `(slot, position, token)`.

mod attention;
mod cache;
mod forward;
mod kernel;
mod linear;
mod norm;
mod rope;
mod shape;
mod weights;

pub(crate) use cache::KvCache;
pub(crate) use forward::{Row, Scratch};
pub(crate) use kernel::instruction_set;
pub(crate) use shape::ModelShape;
pub(crate) use weights::Model;
