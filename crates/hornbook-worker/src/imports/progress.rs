//! How far an import is, in the words that one worker leaves for the next.

use hornbook_db::imports::ImportContent;
use hornbook_records::Imported;
use hornbook_types::CorpusFile;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What has been read and stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Files of documents that were read to their end.
    pub(super) sources: u64,
    /// Documents.
    pub(super) rows: u64,
    /// Bytes of their texts.
    pub(super) text_bytes: u64,
    /// Their tokens.
    pub(super) tokens: u64,
    /// Files stored.
    pub(super) files: Vec<CorpusFile>,
}

impl Progress {
    /// What an earlier worker noted, if it can be gone on with.
    pub(super) fn noted(value: Option<Value>) -> Self {
        value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
    }

    /// Adds a file of documents that was read to its end.
    pub(super) fn add(&mut self, read: &Imported, files: Vec<CorpusFile>) {
        self.sources += 1;
        self.rows += read.rows;
        self.text_bytes += read.text_bytes;
        self.tokens += read.tokens;
        self.files.extend(files);
    }

    /// All of it, as what the import holds.
    pub(super) fn content(self) -> ImportContent {
        ImportContent {
            sha256: ImportContent::digest(&self.files),
            rows: self.rows,
            text_bytes: self.text_bytes,
            tokens: self.tokens,
            files: self.files,
        }
    }
}
