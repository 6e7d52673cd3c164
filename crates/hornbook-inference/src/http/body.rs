//! Reading a body without trusting its length.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use super::HttpError;

/// Reads a whole body of at most `limit_bytes`.
///
/// # Errors
/// `TooLarge` as soon as the limit is passed (or announced to be), else what broke the reading.
pub async fn read_capped(mut response: Response, limit_bytes: usize) -> Result<Bytes, HttpError> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |bytes| bytes > limit_bytes) {
        return Err(HttpError::TooLarge { limit_bytes });
    }
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(HttpError::from_client)? {
        if body.len() + piece.len() > limit_bytes {
            return Err(HttpError::TooLarge { limit_bytes });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}
