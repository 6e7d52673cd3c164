//! Opening a GGUF file: header, metadata, tensor directory, tensors. The file is hostile input.

mod dequantise;
mod directory;
mod reader;
mod value;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::LoadError;

pub(crate) use directory::{GgufFile, TensorInfo};
pub(crate) use value::{MetadataExt, Value};

/// Largest model file; it lies in memory whole while it is loaded.
pub(crate) const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024 * 1024;
/// Most entries of metadata.
pub(crate) const METADATA_ENTRIES_MAX: u64 = 4_096;
/// Most elements of one metadata array; the largest vocabularies have a quarter of it.
pub(crate) const ARRAY_ELEMENTS_MAX: u64 = 2_000_000;
/// Longest text in the metadata; chat templates are the longest in practice.
pub(crate) const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// Most tensors in one file.
pub(crate) const TENSORS_MAX: u64 = 16_384;
/// Most dimensions of a tensor, as ggml has it.
pub(crate) const DIMENSIONS_MAX: u32 = 4;
/// Most elements of one tensor.
pub(crate) const TENSOR_ELEMENTS_MAX: u64 = 4_000_000_000;

/// The metadata by key.
pub(crate) type Metadata = BTreeMap<String, Value>;

/// A file's bytes with the hash of exactly those bytes.
///
/// The file is read, not mapped: what is hashed is what is parsed, whatever happens to the file
/// meanwhile or afterwards, and a file that shrinks ends no process by a signal. It costs memory
/// while a model loads: the file and the weights packed from it, about twice the file in the usual
/// quantisations, and the largest matrix once more as floats where its type has no tiles. The
/// bytes are dropped once the weights are packed.
pub(crate) struct ModelBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sha256: String,
}

/// Reads and hashes a model file.
pub(crate) fn read_file(path: &Path) -> Result<ModelBytes, LoadError> {
    read_at_most(path, FILE_BYTES_MAX)
}

fn read_at_most(path: &Path, limit: u64) -> Result<ModelBytes, LoadError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing { path: path.to_owned() },
        _ => LoadError::Unreadable { path: path.to_owned(), source },
    };
    // Before it is opened, because opening a pipe waits for whoever writes to it.
    check_kind(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    // The path may name another file by now; from here on only what was opened counts.
    let facts = file.metadata().map_err(failed)?;
    check_kind(&facts)?;
    check_bytes(facts.len(), limit)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(facts.len() as usize).map_err(|_| {
        let detail = format!("no memory for the {} bytes of the model file", facts.len());
        LoadError::Start { detail }
    })?;
    // It may still grow, without an end where somebody wants that.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    check_bytes(bytes.len() as u64, limit)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok(ModelBytes { bytes, sha256 })
}

/// A directory, pipe or device could block for ever or never end.
fn check_kind(facts: &std::fs::Metadata) -> Result<(), LoadError> {
    if facts.is_file() {
        return Ok(());
    }
    Err(LoadError::NotGguf { detail: "the path names no regular file".to_owned() })
}

fn check_bytes(bytes: u64, limit: u64) -> Result<(), LoadError> {
    LoadError::check_limit("the model file, in bytes,", bytes, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_over_the_limit_are_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("model.gguf");
        std::fs::write(&path, [7; 100]).expect("the file is written");
        assert_eq!(read_at_most(&path, 100).expect("it fits").bytes, [7; 100]);
        let found = read_at_most(&path, 99).err();
        assert!(matches!(found, Some(LoadError::TooLarge { value: 100, limit: 99, .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_that_are_longer_than_they_say_are_bounded() {
        // The kernel says 0 bytes for every file there, and gives more.
        let path = Path::new("/proc/self/status");
        let found = read_at_most(path, 16).err();
        assert!(matches!(found, Some(LoadError::TooLarge { value: 17, limit: 16, .. })));
        assert!(read_at_most(path, 1 << 20).expect("it is read").bytes.len() > 100);
    }

    #[test]
    fn what_is_no_file_is_refused_unopened() {
        for path in ["/", "/dev/zero"] {
            let found = read_file(Path::new(path)).err();
            assert!(matches!(found, Some(LoadError::NotGguf { .. })), "{path}: {found:?}");
        }
        let found = read_file(Path::new("/nowhere/model.gguf")).err();
        assert!(matches!(found, Some(LoadError::Missing { .. })));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_after_a_good_start_have_an_outcome(
            tensors in 0_u64..4,
            entries in 0_u64..4,
            rest in proptest::collection::vec(0_u8..12, 0..400),
        ) {
            let mut bytes = b"GGUF\x03\0\0\0".to_vec();
            bytes.extend(tensors.to_le_bytes());
            bytes.extend(entries.to_le_bytes());
            bytes.extend(rest);
            // Small numbers make plausible lengths and types; an error is as good as a file.
            if let Ok(file) = GgufFile::parse(&bytes) {
                proptest::prop_assert_eq!(file.tensors.len() as u64, tensors);
            }
        }
    }
}
