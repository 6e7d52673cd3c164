//! Drawing the next token.

mod adjust;
mod candidate;
mod cut;
mod draw;
mod logprob;
mod random;
mod row;

pub(crate) use draw::{Sampler, SamplerStart, check_vocabulary};
pub(crate) use logprob::Logprobs;
pub(crate) use row::NoToken;
