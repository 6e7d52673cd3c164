//! Drawing the next token, and seeing whether the answer ends with it.

mod adjust;
mod candidate;
mod cut;
mod draw;
mod logprob;
mod loops;
mod random;
mod row;
mod stops;
mod watch;

pub(crate) use draw::{Sampler, SamplerStart, check_vocabulary};
pub(crate) use logprob::Logprobs;
pub(crate) use row::NoToken;
pub(crate) use watch::{Progress, Watch};
