//! Limits of tokenizers and of what they are given, each with its unit.

/// Largest `tokenizer.json`; the largest that people publish has 35 MB.
pub(super) const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Largest id that a token may have, and 1.
pub(super) const VOCABULARY: u64 = 1 << 24;
/// Tokens that a file may add to its model's.
pub(super) const ADDED_TOKENS: usize = 1 << 18;
/// Regular expressions in one file.
pub(super) const EXPRESSIONS: usize = 16;
/// Longest of them.
pub(super) const EXPRESSION_BYTES: usize = 8 * 1024;
/// Steps back that an expression may take before it finds something.
pub(super) const BACKTRACKS: usize = 1_000_000;
/// Bytes of a compiled expression.
pub(super) const COMPILED_BYTES: usize = 10 * 1024 * 1024;
/// Longest text that a normaliser may put in the place of another.
pub(super) const REPLACEMENT_BYTES: usize = 64;
/// Tokens that a byte may become.
pub(super) const TOKENS_PER_BYTE: usize = 16;
/// Longest word of a WordPiece model: the search for its pieces takes the square of its length.
pub(super) const WORD_CHARS: u64 = 1_000;
/// Words whose tokens one thread remembers.
pub(super) const WORDS_KEPT: usize = 1 << 17;
/// Tokens of those words.
pub(super) const WORD_TOKENS_KEPT: usize = 1 << 21;
/// Longest word that is remembered, in bytes.
pub(super) const WORD_KEPT_BYTES: usize = 128;
/// Longest text that the library gets at once: it takes about a hundred times as much memory.
pub(super) const PLAIN_TEXT_BYTES: usize = 2 * 1024 * 1024;
/// Text that the library gets at once from a longer one, where cutting is safe.
pub(super) const CHUNK_BYTES: usize = 32 * 1024;
/// Times that a text is cut anew because a part of it still reads as a special token.
pub(super) const CUTS: usize = 8;
/// Bytes of text between two points from which counting goes on after a kill.
pub(super) const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;
