//! Every limit of decontamination, with its unit.

/// Bytes of item texts that one set of benchmarks may hold; the index takes about eight times as much.
pub const BENCHMARK_TEXT_BYTES_MAX: usize = 128 << 20;
/// Items that one set of benchmarks may hold.
pub const BENCHMARK_ITEMS_MAX: usize = 1 << 20;
/// Bytes of one line of a benchmark file.
pub const BENCHMARK_LINE_BYTES_MAX: usize = 4 << 20;
/// Bytes of a benchmark's name or an item's id.
pub const BENCHMARK_NAME_BYTES_MAX: usize = 256;
/// Items with fewer words cannot be told from common phrases, and are reported as not checked.
pub const ITEM_WORDS_MIN: usize = 6;
/// Items with fewer words than this are found as a whole or not at all.
pub const ITEM_WORDS_WHOLE: usize = 10;
/// Words of an item that must stand in a document in one piece, for the shortest items that are found in part.
pub const SPAN_WORDS_MIN: usize = 10;
/// Words in one piece that are enough, however long the item.
pub const SPAN_WORDS_MAX: usize = 13;
/// Bytes, after normalising, at which a span is long enough whatever its words.
pub const SPAN_BYTES_MAX: usize = 512;
/// Hits listed for one document; it is removed by the first.
pub const HITS_MAX: usize = 256;
/// Characters of a document shown as what matched.
pub const EXCERPT_CHARS_MAX: usize = 300;
/// Words of the n-grams of the reference mode.
pub const REFERENCE_NGRAM_WORDS: usize = 10;
/// Pairs of equal characters that the reference mode looks at for one document.
pub const REFERENCE_PAIRS_MAX: u64 = 1 << 30;
/// Normalised bytes of a document that are held at once.
pub(super) const STREAM_BYTES: usize = 64 << 10;
