//! A corpus in a directory, as `corpus pull` and `corpus build` leave it.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::PushError;
use super::limits::{FILES, MANIFEST_BYTES};
use super::source::{ByteStream, PushFile, Source, is_plain};
use crate::part::sha256_of;

/// The file that vouches for the others.
pub(super) const MANIFEST: &str = "manifest.json";
/// Bytes read at once.
const READ_BYTES: u64 = 256 * 1024;

/// As much of a manifest as is needed to know its files.
#[derive(Deserialize)]
pub(super) struct ManifestFiles {
    content: Content,
}

#[derive(Deserialize)]
struct Content {
    files: Vec<NamedFile>,
}

#[derive(Deserialize)]
struct NamedFile {
    path: String,
    bytes: u64,
    sha256: String,
}

impl ManifestFiles {
    /// The paths that it vouches for.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.content.files.iter().map(|file| file.path.as_str())
    }
}

/// A corpus in a directory, checked against its manifest.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    files: Vec<PushFile>,
}

impl Directory {
    /// Reads the manifest and holds every file that it names against it; others stay where they are.
    ///
    /// # Errors
    /// `BadCorpus` for a directory without a manifest, or with a file that is not the one it names.
    pub async fn open(root: &Path) -> Result<Self, PushError> {
        let place = root.join(MANIFEST);
        let length = match tokio::fs::metadata(&place).await {
            Ok(metadata) => metadata.len(),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
                return Err(PushError::BadCorpus(format!(
                    "{} holds no corpus: there is no {MANIFEST}",
                    root.display()
                )));
            }
            Err(fault) => return Err(PushError::io(&place)(fault)),
        };
        if length > MANIFEST_BYTES {
            return Err(PushError::BadCorpus(format!("{} is too long", place.display())));
        }
        let text = tokio::fs::read(&place).await.map_err(PushError::io(&place))?;
        let manifest: ManifestFiles = serde_json::from_slice(&text)
            .map_err(|fault| PushError::BadCorpus(format!("{}: {fault}", place.display())))?;
        if manifest.content.files.len() >= FILES {
            return Err(PushError::BadCorpus(format!("more than {FILES} files in one push")));
        }
        let mut files = Vec::new();
        for named in manifest.content.files {
            files.push(checked(root, named).await?);
        }
        let sha256 = hash(&place).await?;
        files.push(PushFile { path: MANIFEST.to_owned(), bytes: length, sha256 });
        Ok(Self { root: root.to_owned(), files })
    }
}

async fn checked(root: &Path, named: NamedFile) -> Result<PushFile, PushError> {
    let NamedFile { path, bytes, sha256 } = named;
    if !is_plain(&path) {
        return Err(PushError::BadCorpus(format!(
            "the manifest names {path:?}, which is no plain path"
        )));
    }
    let place = root.join(&path);
    let length = tokio::fs::metadata(&place).await.map_err(PushError::io(&place))?.len();
    if length != bytes || hash(&place).await? != sha256.to_ascii_lowercase() {
        return Err(PushError::BadCorpus(format!(
            "{path} is not the file that the manifest names"
        )));
    }
    Ok(PushFile { path, bytes, sha256: sha256.to_ascii_lowercase() })
}

async fn hash(place: &Path) -> Result<String, PushError> {
    let hashed = sha256_of(place.to_owned()).await;
    hashed
        .map_err(|fault| PushError::BadCorpus(fault.to_string()))?
        .ok_or_else(|| PushError::BadCorpus(format!("{} is gone", place.display())))
}

impl Source for Directory {
    fn files(&self) -> &[PushFile] {
        &self.files
    }

    fn open<'a>(
        &'a self,
        file: &'a PushFile,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<ByteStream, PushError>> {
        Box::pin(async move {
            let place = self.root.join(&file.path);
            let mut opened = File::open(&place).await.map_err(PushError::io(&place))?;
            opened.seek(SeekFrom::Start(range.start)).await.map_err(PushError::io(&place))?;
            Ok(pieces(opened, range.end - range.start).boxed())
        })
    }
}

/// The next `left` bytes of a file; one that is shorter ends early.
fn pieces(file: File, left: u64) -> impl stream::Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut piece = Vec::new();
        let read = (&mut file).take(left.min(READ_BYTES)).read_to_end(&mut piece).await? as u64;
        Ok((read > 0).then(|| (Bytes::from(piece), (file, left - read))))
    })
}
