//! Reading the files of a model's directory, each within its limit.

use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::EmbeddingLoadError as Error;

/// Longest file of settings.
const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// A file's bytes; `None` when it is not there.
pub(super) fn bytes(
    directory: &Path,
    file: &'static str,
    bytes_max: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let path = directory.join(file);
    let unreadable = |source| Error::Unreadable { file, source };
    let facts = match std::fs::metadata(&path) {
        Ok(facts) => facts,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    };
    if !facts.is_file() {
        // A pipe or device could block for ever or never end.
        return Err(Error::malformed(file, "it is no regular file"));
    }
    Error::check_limit(&format!("{file}, in bytes,"), facts.len(), bytes_max)?;
    std::fs::read(&path).map(Some).map_err(unreadable)
}

/// A file's bytes, where the file must be there.
pub(super) fn needed(
    directory: &Path,
    file: &'static str,
    bytes_max: u64,
) -> Result<Vec<u8>, Error> {
    bytes(directory, file, bytes_max)?
        .ok_or_else(|| Error::Missing { file, directory: directory.to_owned() })
}

/// A file of settings, where it must be there.
pub(super) fn settings<T: DeserializeOwned>(
    directory: &Path,
    file: &'static str,
) -> Result<T, Error> {
    parse(file, &needed(directory, file, SETTINGS_BYTES_MAX)?)
}

/// A file of settings; `None` when it is not there.
pub(super) fn settings_if_any<T: DeserializeOwned>(
    directory: &Path,
    file: &'static str,
) -> Result<Option<T>, Error> {
    let bytes = bytes(directory, file, SETTINGS_BYTES_MAX)?;
    bytes.map(|bytes| parse(file, &bytes)).transpose()
}

/// Parses JSON.
pub(super) fn parse<T: DeserializeOwned>(file: &'static str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::malformed(file, error.to_string()))
}
