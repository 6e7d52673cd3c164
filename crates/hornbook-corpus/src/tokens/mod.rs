//! Texts as tokens of a tokenizer that somebody names: any `tokenizer.json`, and nothing random, huge or explosive.

mod byte_level;
mod count;
mod cut;
mod encode;
mod kept;
mod limits;
mod shape;
#[cfg(test)]
mod tests;
mod tokenizer;
mod words;

pub use encode::Encoder;
pub use tokenizer::CorpusTokenizer;

pub(crate) use count::{CountRequest, CountedPart, Tokens};
pub(crate) use kept::Wanted;
