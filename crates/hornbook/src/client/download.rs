//! Fetching one file of a corpus: resumed where it stopped, checked, then renamed into place.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::{Client, checked};
use crate::exit::{Code, Context as _, Failure};

/// Tries per file; each goes on where the one before stopped.
const ATTEMPTS: u32 = 5;
/// Pause before the next try.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Bytes hashed at a time when a partial or finished file is read back.
const READ_BYTES: usize = 256 * 1024;

/// What the service says a file holds.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) bytes: u64,
    pub(crate) sha256: &'a str,
}

/// Fetches `path` into `to`, unless a file with the right hash is there already.
///
/// `progress` is told the bytes that arrived since it was last told.
pub(crate) async fn download(
    client: &Client,
    path: &str,
    to: &Path,
    whole: Whole<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Failure> {
    if let Ok(found) = hash_of(to).await
        && found == whole.sha256
    {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).await.context(&format!("making {}", parent.display()))?;
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let mut failure = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        match fetch_rest(client, path, part, whole, progress).await {
            Ok(()) if hash_of(part).await.context("checking the download")? == whole.sha256 => {
                return fs::rename(part, to)
                    .await
                    .context(&format!("moving {} into place", to.display()));
            }
            Ok(()) => {
                // A whole file with another hash cannot be mended by asking for more of it.
                fs::remove_file(part).await.context("removing a damaged download")?;
                failure = Some(Failure::error(format!("{path}: the content has another sha256")));
            }
            Err(error) if error.code == Code::Error => failure = Some(error),
            // No key, no such file, come back later: asking again at once changes nothing.
            Err(error) => return Err(error),
        }
    }
    Err(failure.unwrap_or_else(|| Failure::error(format!("{path}: could not be fetched"))))
}

async fn fetch_rest(
    client: &Client,
    path: &str,
    part: &Path,
    whole: Whole<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Failure> {
    let have = fs::metadata(part).await.map(|metadata| metadata.len()).unwrap_or(0);
    let mut request = client.request(Method::GET, path)?;
    if have > 0 {
        request = request
            .header("range", format!("bytes={have}-"))
            .header("if-range", format!("\"{}\"", whole.sha256));
    }
    let response = client.send_unchecked(request).await?;
    if have > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // The part is as long as the file or longer: let the hash decide.
        return Ok(());
    }
    let response = checked(response).await?;
    let resumed = response.status() == StatusCode::PARTIAL_CONTENT;
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(!resumed)
        .open(part)
        .await
        .context(&format!("opening {}", part.display()))?;
    file.seek(SeekFrom::Start(if resumed { have } else { 0 })).await.context("resuming")?;
    let mut stream = response.bytes_stream();
    let mut bytes_left = whole.bytes.saturating_sub(if resumed { have } else { 0 });
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.context(&format!("{path}: the connection broke"))?;
        // A service that never stops sending must not fill the disk.
        let Some(left) = bytes_left.checked_sub(bytes.len() as u64) else {
            file.set_len(0).await.context(&format!("emptying {}", part.display()))?;
            let limit = whole.bytes;
            return Err(Failure::error(format!("{path}: holds more than its {limit} bytes")));
        };
        bytes_left = left;
        file.write_all(&bytes).await.context(&format!("writing {}", part.display()))?;
        progress(bytes.len() as u64);
    }
    file.sync_all().await.context(&format!("writing {}", part.display()))
}

async fn hash_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path).await?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer).await?;
        if read == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}
