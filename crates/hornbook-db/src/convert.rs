//! Between the numbers of the nouns (unsigned) and those of SQL (signed).

use sqlx::types::Json;

use crate::DbError;

/// A count for SQL; counts beyond 2^63 do not occur, and would stop at the end of the range.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count from SQL.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A version or small count for SQL.
pub(crate) fn to_sql32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A version or small count from SQL.
pub(crate) fn from_sql32(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// A name that was checked when it was stored.
pub(crate) fn name<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, DbError> {
    text.parse().map_err(|_| DbError::Other(format!("stored {what} is not well-formed")))
}

/// A page size between 1 and the crate's limit.
pub(crate) fn page_rows(limit: u32) -> i64 {
    i64::from(limit.clamp(1, crate::limits::PAGE_ROWS))
}

/// A value as JSON text.
pub(crate) fn json_text<T: serde::Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|_| DbError::BadData("not representable as json".into()))
}

/// A value as a JSON parameter.
pub(crate) fn json<T>(value: T) -> Json<T> {
    Json(value)
}

/// SHA-256 of a value's JSON, in hex: two values with the same digest have the same content.
pub(crate) fn digest<T: serde::Serialize>(value: &T) -> Result<String, DbError> {
    use sha2::Digest;
    Ok(hex::encode(sha2::Sha256::digest(json_text(value)?)))
}
