//! What is pushed: files by path, size and hash, and their bytes wherever they are.

use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::PushError;
use super::limits::NAME_BYTES;

/// Bytes as they come.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// A file to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushFile {
    /// Path in the repository.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, 64 hex digits in lower case.
    pub sha256: String,
}

/// A corpus that can be read.
pub trait Source: Send + Sync {
    /// Every file.
    fn files(&self) -> &[PushFile];

    /// The bytes in `range` of a file; it may be asked for again.
    fn open<'a>(
        &'a self,
        file: &'a PushFile,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<ByteStream, PushError>>;
}

/// All bytes of a range; the caller has seen that they are few.
pub(super) async fn read(
    source: &dyn Source,
    file: &PushFile,
    range: Range<u64>,
) -> Result<Bytes, PushError> {
    let wanted = range.end - range.start;
    let mut stream = source.open(file, range).await?;
    let mut bytes = BytesMut::new();
    while let Some(piece) = stream.try_next().await.map_err(PushError::io(file.path.as_ref()))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > wanted {
            break;
        }
    }
    if bytes.len() as u64 == wanted {
        Ok(bytes.freeze())
    } else {
        Err(PushError::BadCorpus(format!("{}: not as long as its manifest says", file.path)))
    }
}

/// True for a path as corpora have them: below the root, no hidden file, nothing that acts on a terminal.
pub(super) fn is_plain(path: &str) -> bool {
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    path.len() <= 4 * NAME_BYTES && path.split('/').all(plain)
}
