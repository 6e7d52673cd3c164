//! From messages to tokens, and from tokens to text.

mod bytes;
mod chat;
mod shield;
mod tokenizer;

pub(crate) use chat::{ChatTemplate, PromptError};
pub(crate) use tokenizer::TextTokenizer;
