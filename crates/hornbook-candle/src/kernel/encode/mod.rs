//! What an encoder such as BERT does between its products: attention of every token to all of its
//! text, norms with a mean, and the gate of its feed-forward part.
//!
//! As everywhere in this module, what a row or a text becomes does not depend on what is computed
//! beside it.

mod attend;
mod gelu;
mod norm;
#[cfg(test)]
mod tests;

pub(crate) use attend::{TextHeads, attend_all};
pub(crate) use gelu::add_and_gelu;
pub(crate) use norm::{LayerNorm, add_to_rows};
