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
    while let Some(piece) = next_piece(&mut response).await? {
        if body.len() + piece.len() > limit_bytes {
            return Err(HttpError::TooLarge { limit_bytes });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// The next piece of a body as it comes off the connection; `None` at its end.
///
/// # Errors
/// What broke the reading; a body shorter than announced is `Interrupted`.
pub async fn next_piece(response: &mut Response) -> Result<Option<Bytes>, HttpError> {
    response.chunk().await.map_err(HttpError::from_client)
}
