//! Every limit of the service's face, with its unit in its name.

/// Largest JSON body of a request.
pub const JSON_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Largest upload of a seed set.
pub const UPLOAD_BODY_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// Longest silence of a client in the middle of an upload.
pub const UPLOAD_IDLE_SECONDS: u64 = 60;
/// Longest time from a request to the first byte of its reply, uploads apart.
pub const REQUEST_SECONDS: u64 = 90;
/// Longest wait that `Prefer: wait` may ask for.
pub const LONG_POLL_SECONDS: u64 = 60;
/// Time between looks at a job while a client waits and no notice comes.
pub const WATCH_POLL_SECONDS: u64 = 2;
/// Silence on an event stream after which a comment keeps it open.
pub const SSE_KEEP_ALIVE_SECONDS: u64 = 15;
/// Most items on one page of a list.
pub const PAGE_ITEMS_MAX: u32 = 200;
/// Items on one page of a list when the client does not say.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;
/// Longest cursor that a client may send back.
pub const CURSOR_BYTES: usize = 1_024;
/// Longest request id that is taken over from a client.
pub const REQUEST_ID_BYTES: usize = 128;
/// Longest `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Largest reply kept for an `Idempotency-Key`.
pub const IDEMPOTENCY_REPLY_BYTES: usize = 4 * 1024 * 1024;
/// Requests in any minute that one key may make, unless configured otherwise.
pub const REQUESTS_PER_MINUTE: u32 = 12_000;
/// Longest life of a dashboard session.
pub const SESSION_SECONDS: i64 = 7 * 24 * 3_600;
/// Templates rendered at once on the blocking pool.
pub const RENDERS_AT_ONCE: usize = 4;
/// Longest time that one render may take.
pub const RENDER_SECONDS: u64 = 5;
/// Longest time that a test prompt to an endpoint may take.
pub const ENDPOINT_TEST_SECONDS: u64 = 60;
/// Tokens that a test prompt to an endpoint may answer with.
pub const ENDPOINT_TEST_TOKENS: u32 = 16;
/// Rendered characters that a token is taken to hold where nothing better is known.
pub const BYTES_PER_TOKEN: f64 = 4.0;
/// Longest search text.
pub const SEARCH_BYTES: usize = 200;
/// Longest name of an API key.
pub const KEY_NAME_CHARS: usize = 100;
/// Longest licence or source statement.
pub const LICENSE_CHARS: usize = 200;
/// Event streams and long polls open at once.
pub const WATCHERS_AT_ONCE: usize = 1_024;
/// Events read from the database at once for a stream.
pub const EVENTS_AT_ONCE: u32 = 200;
/// Documents read from the database at once for a page.
pub const DOCUMENTS_AT_ONCE: u32 = 16;
/// Text after which a page of documents ends early.
pub const DOCUMENT_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Points of a throughput series.
pub const SERIES_POINTS: u32 = 120;
/// Connections open at once; further ones wait to be accepted.
pub const CONNECTIONS_AT_ONCE: usize = 4_096;
/// Longest time that a client may take over the head of a request, or leave a connection idle.
pub const HEADER_SECONDS: u64 = 60;
/// Pause after a connection could not be accepted.
pub const ACCEPT_RETRY_MILLIS: u64 = 100;
/// Entries on one page of a dataset's listing.
pub const HUB_TREE_ENTRIES: usize = 1_000;
/// Longest error message in a header.
pub const HUB_MESSAGE_CHARS: usize = 500;
/// Pause asked of the Hub's clients where nothing better is known.
pub const HUB_RETRY_SECONDS: u64 = 2;
/// Seed sets imported at once; each holds a connection to the database.
pub const IMPORTS_AT_ONCE: usize = 3;
