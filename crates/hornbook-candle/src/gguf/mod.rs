//! Opening a GGUF file: header, metadata, tensor directory, tensors. The file is hostile input.

mod dequantise;
mod directory;
mod reader;
mod value;

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::LoadError;

pub(crate) use directory::{GgufFile, TensorInfo};
pub(crate) use value::{MetadataExt, Value};

/// Largest model file; it is held in memory beside the packed weights while it is loaded.
pub(crate) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
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
/// The file is read, not mapped: what is hashed is what is parsed, whatever happens to the
/// file afterwards, and the copy is dropped once the weights are packed.
pub(crate) struct ModelBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sha256: String,
}

/// Reads and hashes a model file.
pub(crate) fn read_file(path: &Path) -> Result<ModelBytes, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(LoadError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(unreadable(error)),
    };
    if !facts.is_file() {
        // A directory, pipe or device could block for ever or never end.
        return Err(LoadError::NotGguf { detail: "the path names no regular file".to_owned() });
    }
    LoadError::check_limit("the model file, in bytes,", facts.len(), FILE_BYTES_MAX)?;
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok(ModelBytes { bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::GgufFile;

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
