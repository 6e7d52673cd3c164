//! Every limit of the engine's face, with its unit in its name.

/// Largest body of a request.
pub const BODY_BYTES: usize = 4 * 1024 * 1024;
/// Longest time that a client may take to send a body.
pub const BODY_SECONDS: u64 = 60;
/// Sequences that may wait beyond those that the backend writes at once; more are told to come back.
pub const WAITING_SEQUENCES: usize = 256;
/// What a client that finds the queue full is told to wait.
pub const RETRY_AFTER_SECONDS: u64 = 2;
/// Most answers (prompts times `n`) of one request: as many as OpenAI gives to one prompt.
pub const CHOICES: usize = 128;
/// Longest prompt, all its messages together: more than any context here holds. It bounds what a
/// full queue keeps in memory.
pub const PROMPT_BYTES: usize = 512 * 1024;
/// Most messages of one conversation.
pub const MESSAGES: usize = 2_048;
/// New tokens of a bare text's continuation when the request does not say: OpenAI's number.
pub const COMPLETION_TOKENS_DEFAULT: u32 = 16;
/// Longest wait for the first token before a stream begins without it; faults that are found by
/// then have a status of their own.
pub const STREAM_HEAD_SECONDS: u64 = 10;
/// Silence on a stream after which a comment keeps it open.
pub const KEEP_ALIVE_SECONDS: u64 = 15;
/// Longest time that a client may leave a stream unread; then its answers are given up.
pub const STREAM_STALL_SECONDS: u64 = 60;
/// Parts of answers that wait for a client to read them.
pub const STREAM_PARTS: usize = 64;
/// Most texts of one request for embeddings: as many as OpenAI takes.
pub const EMBEDDING_TEXTS: usize = 2_048;
/// Requests for embeddings under way or waiting; more are told to come back.
pub const EMBEDDING_REQUESTS: usize = 32;
/// Shortest key that guards an engine.
pub const KEY_BYTES_MIN: usize = 16;
/// Longest key that guards an engine.
pub const KEY_BYTES_MAX: usize = 512;
