//! From messages to tokens, and from tokens to text.

mod bytes;
mod chat;
mod shield;
mod tokenizer;

pub(crate) use chat::{ChatTemplate, PromptError, encode_text};
pub(crate) use tokenizer::TextTokenizer;
