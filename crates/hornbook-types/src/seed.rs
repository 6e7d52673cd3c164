//! One input record.

use serde_json::{Map, Value};

/// One input record of a seed set: any JSON object, numbered from 0 in the order of import.
///
/// By convention `topic`, `title`, `text` and `id` mean what they say.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedRecord {
    /// Number within the seed set's version, from 0.
    pub seq: u64,
    /// The record.
    pub data: Map<String, Value>,
}
