//! The Llama forward pass over rows of `(sequence, position, token)`.

mod attention;
mod forward;
mod kernel;
mod linear;
mod panels;
mod rope;
mod shape;
mod weights;

pub(crate) use attention::{Attention, HostAttention};
pub(crate) use forward::{Pass, Row, Scratch};
pub(crate) use linear::ComputeError;
pub(crate) use shape::ModelShape;
pub(crate) use weights::{Holding, Model};
