//! Every limit that more than one room must agree on, with its unit in its name.

/// Longest name in a URL.
pub const SLUG_BYTES: usize = 64;
/// Longest prompt template body.
pub const TEMPLATE_BODY_BYTES: usize = 64 * 1024;
/// Longest rendered prompt.
pub const PROMPT_BYTES: usize = 64 * 1024;
/// Largest one seed record, as JSON.
pub const SEED_BYTES: usize = 256 * 1024;
/// Most seeds in one seed set.
pub const SEEDS_PER_SET: u64 = 50_000_000;
/// Most fields that one seed record may have.
pub const SEED_FIELDS: usize = 256;
/// Longest answer that an endpoint may give.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Most lines in one recipe.
pub const RECIPE_LINES: usize = 256;
/// Most prompts in one job; keeps positions exact in 64-bit arithmetic.
pub const PROMPTS_PER_JOB: u64 = 1_000_000_000;
/// Prompts that one accepted document may cost unless a job says otherwise.
pub const CANDIDATES_PER_ACCEPTED: u64 = 3;
/// Largest money budget of one job, in US dollars.
pub const BUDGET_USD: f64 = 1_000_000_000.0;
/// Most endpoints that one job may name.
pub const ENDPOINTS_PER_JOB: usize = 64;
/// Most new tokens that one prompt may ask for.
pub const MAX_TOKENS: u32 = 131_072;
/// Most texts that may end an answer.
pub const STOPS: usize = 16;
/// Longest text that ends an answer.
pub const STOP_BYTES: usize = 256;
/// Most tokens whose logits one job may shift.
pub const LOGIT_BIASES: usize = 1_024;
/// Longest JSON schema that answers may be bound to, as JSON.
pub const RESPONSE_SCHEMA_BYTES: usize = 64 * 1024;
/// Longest name of such a schema.
pub const RESPONSE_SCHEMA_NAME_BYTES: usize = 64;
/// Smallest chunk of prompts that a worker leases.
pub const CHUNK_PROMPTS_MIN: u64 = 4;
/// Largest chunk of prompts that a worker leases.
pub const CHUNK_PROMPTS_MAX: u64 = 1_024;
/// Chunk size aimed at: this many seconds of the worker's measured pace.
pub const CHUNK_TARGET_SECONDS: u64 = 30;
/// Owners that may die on a chunk before it is run one prompt at a time.
pub const CHUNK_OWNER_DEATHS: i32 = 3;
/// Owners that may die in a row, the later ones alone with one prompt, before that prompt is blamed.
pub const CHUNK_KILLER_DEATHS: i32 = 2 * CHUNK_OWNER_DEATHS;
/// How long a lease lasts without a heartbeat.
pub const LEASE_SECONDS: u64 = 30;
/// Time between heartbeats of a lease.
pub const HEARTBEAT_SECONDS: u64 = 5;
/// Finished documents that are stored at once, without waiting for more company.
pub const COMMIT_ROWS: usize = 64;
/// Most documents in one group commit: what came while the group before was being stored goes together.
pub const COMMIT_ROWS_MAX: usize = 256;
/// Longest that a finished document waits for company before it is committed.
pub const COMMIT_LINGER_MILLIS: u64 = 50;
/// Consecutive prompts exported as one segment.
pub const SEGMENT_PROMPTS: u64 = 8_192;
/// Uncompressed text per shard.
pub const SHARD_TEXT_BYTES: u64 = 256 * 1024 * 1024;
/// Uncompressed bytes per Parquet row group; a group is held in memory, compressed, until it is whole.
pub const ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Largest quota that a key may be given.
pub const QUOTA_MAX: u64 = 1_000_000_000_000_000;
/// Metadata keys that a job may carry.
pub const METADATA_KEYS: usize = 32;
/// Smallest weight of a job.
pub const JOB_WEIGHT_MIN: f64 = 0.001;
/// Largest weight of a job.
pub const JOB_WEIGHT_MAX: f64 = 1_000.0;
/// Longest job name.
pub const JOB_NAME_CHARS: usize = 200;
/// Finished corpus revisions kept beside the current one.
pub const CORPUS_REVISIONS: usize = 3;
/// Highest price that an endpoint may be given, in US dollars per million tokens.
pub const DOLLARS_PER_MILLION_TOKENS: f64 = 1_000_000.0;
/// Phrases that a job may ban from the beginnings of its documents.
pub const BANNED_OPENINGS: usize = 200;
/// Longest such phrase.
pub const BANNED_OPENING_BYTES: usize = 200;
/// Most grades by which a text may be allowed to miss its audience.
pub const GRADES: f32 = 100.0;
/// Splits of one corpus.
pub const SPLITS: usize = 8;
/// Longest name of a split.
pub const SPLIT_NAME_BYTES: usize = 32;
/// Least share of a split.
pub const SPLIT_SHARE_MIN: f64 = 0.000_001;
/// Sources of one mix.
pub const MIX_SOURCES: usize = 64;
/// Most tokens that a mix or a source may ask for.
pub const MIX_TOKENS: u64 = 1_000_000_000_000_000;
/// Most times that a document may stand in a mixed corpus.
pub const MIX_EPOCHS: u32 = 64;
/// Values that a filter may name for one column.
pub const MIX_FILTER_VALUES: usize = 256;
/// Longest value of a filter.
pub const MIX_FILTER_VALUE_BYTES: usize = 256;
/// Items that the benchmarks of one corpus may have together.
pub const BENCHMARK_ITEMS: u64 = 1 << 20;
/// Bytes that the benchmarks of one corpus may have together.
pub const BENCHMARK_BYTES: u64 = 128 * 1024 * 1024;
/// Longest id of a benchmark's item.
pub const BENCHMARK_ITEM_ID_BYTES: usize = 256;
/// Benchmarks that one corpus may be kept clean of.
pub const BENCHMARKS_PER_CORPUS: usize = 256;
/// Documents that one import may have.
pub const IMPORT_ROWS: u64 = 1_000_000_000;
/// Bytes of text that one import may have.
pub const IMPORT_TEXT_BYTES: u64 = 2 * 1024 * 1024 * 1024 * 1024;
/// Longest name of a column.
pub const COLUMN_NAME_BYTES: usize = 256;
/// Longest name of a tokenizer.
pub const TOKENIZER_NAME_BYTES: usize = 64;
/// Longest spelling of a token that ends a document.
pub const END_OF_TEXT_BYTES: usize = 256;
