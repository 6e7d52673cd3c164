//! Bodies: read without trusting their length, sent as they are read.

use std::ops::Deref;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use reqwest::Response;

use super::HttpError;
use super::memory::Place;

/// A body, which counts among what bodies may take of the memory until it is dropped.
pub struct Body {
    bytes: Bytes,
    _place: Place,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a whole body of at most `limit_bytes`.
///
/// Long ones wait for each other, so that hundreds of them do not take all the memory.
///
/// # Errors
/// `TooLarge` as soon as the limit is passed (or announced to be), else what broke the reading.
pub async fn read_capped(mut response: Response, limit_bytes: usize) -> Result<Body, HttpError> {
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > limit_bytes {
        return Err(HttpError::TooLarge { limit_bytes });
    }
    let mut place = Place::default();
    place.grow_to(announced).await;
    let mut body = BytesMut::new();
    while let Some(piece) = next_piece(&mut response).await? {
        let bytes = body.len() + piece.len();
        if bytes > limit_bytes {
            return Err(HttpError::TooLarge { limit_bytes });
        }
        place.grow_to(bytes).await;
        body.extend_from_slice(&piece);
    }
    Ok(Body { bytes: body.freeze(), _place: place })
}

/// The next piece of a body as it comes off the connection; `None` at its end.
///
/// # Errors
/// What broke the reading; a body shorter than announced is `Interrupted`.
pub async fn next_piece(response: &mut Response) -> Result<Option<Bytes>, HttpError> {
    response.chunk().await.map_err(HttpError::from_client)
}

/// A request's body that is read while it is sent.
///
/// Set `Content-Length` beside it where the server does not take chunks.
pub fn stream_body(pieces: BoxStream<'static, std::io::Result<Bytes>>) -> reqwest::Body {
    reqwest::Body::wrap_stream(pieces)
}
