//! The Llama forward pass over rows of `(sequence, position, token)`.

mod attention;
mod candle_attention;
mod candle_linear;
mod forward;
mod holding;
mod linear;
mod panels;
mod rope;
mod shape;
mod weights;

pub(crate) use attention::Attention;
pub(crate) use forward::{Pass, Row, Scratch};
pub(crate) use holding::Holding;
pub(crate) use linear::{ComputeError, Linear};
pub(crate) use panels::Panels;
pub(crate) use shape::ModelShape;
pub(crate) use weights::Model;
