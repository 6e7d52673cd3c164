//! Anthropic's Messages protocol, behind the same layers as the OpenAI protocol.
//!
//! What differs: the key goes in `x-api-key`, the system text stands apart from the conversation,
//! `max_tokens` is a must, tokens found in the cache are counted beside `input_tokens` and not in
//! it, and `stop_reason` has words of its own.

mod answer;
mod request;

pub(crate) use answer::read_answer;
pub(crate) use request::body;

/// Version of the protocol that is asked for.
pub(crate) const VERSION: &str = "2023-06-01";
/// Header that names it.
pub(crate) const VERSION_HEADER: &str = "anthropic-version";
/// Header that carries the key.
pub(crate) const KEY_HEADER: &str = "x-api-key";
