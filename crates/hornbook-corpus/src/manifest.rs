//! The manifest: what vouches for a corpus.

use hornbook_types::{CorpusFile, PinnedJobSpec};
use sha1::{Digest, Sha1};

use crate::error::AssembleError;
use crate::hashing::sha256_hex;

/// Path of the manifest below a corpus.
pub const MANIFEST_PATH: &str = "manifest.json";

/// SHA-256 of a pinned spec as compact JSON, 64 hex digits.
pub fn spec_digest(spec: &PinnedJobSpec) -> Result<String, AssembleError> {
    let json = serde_json::to_vec(spec).map_err(|error| AssembleError::Row(error.to_string()))?;
    Ok(sha256_hex(&json))
}

/// The commit of a set of files: SHA-1 over the sorted `path NUL sha256 LF`, 40 hex digits.
///
/// The manifest's own entry must not be among them: it holds the commit.
pub fn commit_of(files: &[CorpusFile]) -> String {
    let mut sorted: Vec<&CorpusFile> = files.iter().collect();
    sorted.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut sha1 = Sha1::new();
    for file in sorted {
        sha1.update(file.path.as_bytes());
        sha1.update([0]);
        sha1.update(file.sha256.as_bytes());
        sha1.update(b"\n");
    }
    hex::encode(sha1.finalize())
}
