//! Texts as vectors: a BERT encoder behind [`Embedder`](hornbook_inference::Embedder).
//!
//! A text's way: `tokenizer` makes it WordPiece tokens, `encoder` computes one vector per token,
//! several texts' tokens in one pass without padding, and the vectors' mean (or the first one,
//! where the model says so), scaled to length 1, is the text's vector. Products, norms and
//! attention come from the engine's own modules: a row's sums do not depend on the other rows.

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
