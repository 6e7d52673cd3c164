//! From messages to tokens, and from tokens to text.

mod bytes;
mod chat;
mod deep;
mod marks;
mod metered;
mod pieces;
mod shield;
mod tokenizer;
mod vocabulary;

pub(crate) use chat::{ChatTemplate, PromptError, encode_text};
pub(crate) use tokenizer::TextTokenizer;
