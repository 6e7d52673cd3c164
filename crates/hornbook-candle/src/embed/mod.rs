//! Texts as vectors: a BERT encoder behind [`Embedder`](hornbook_inference::Embedder).
//!
//! A text's way: `tokenizer` makes it WordPiece tokens, `encoder` computes one vector per token
//! with candle's tensors, and the vectors' mean (or the first one, where the model says so),
//! scaled to length 1, is the text's vector. Every text is computed by itself: candle picks its
//! blocks by the number of rows, so only a text's own length may decide them. Texts of one
//! request run beside each other on the model's threads.

mod encoder;
mod error;
mod files;
mod model;
mod pooling;
mod settings;
mod tokenizer;
mod weights;

pub use error::{EmbedError, EmbeddingLoadError};
pub use model::{EmbeddingModel, Overlong, TextEmbedding};
pub use tokenizer::EMBEDDING_TEXT_BYTES_MAX;
