//! Drawing the next token.

mod draw;
mod random;

pub(crate) use draw::{NoToken, Sampler};
