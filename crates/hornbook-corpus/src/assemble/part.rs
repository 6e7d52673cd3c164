//! One piece of an assembly's input: a segment of a job, or a file.

use hornbook_types::CorpusRow;

use crate::error::AssembleError;

/// A document on its way into a corpus.
pub(crate) struct Row {
    /// What will be written.
    pub(crate) row: CorpusRow,
    /// How good it is; among duplicates the highest stays.
    pub(crate) score: Option<f32>,
    /// False when the id is the part's default for that row.
    pub(crate) has_own_id: bool,
    /// False when the length in tokens is an estimate.
    pub(crate) has_own_tokens: bool,
}

/// The documents of a part, in order; nothing follows the first error.
pub(crate) type Rows<'a> = Box<dyn Iterator<Item = Result<Row, AssembleError>> + Send + 'a>;

/// Documents that can be read more than once, the same each time.
pub(crate) trait Part: Sync {
    /// SHA-256 of the content, 64 hex digits: under it facts are kept.
    fn digest(&self) -> Result<String, AssembleError>;

    /// The documents; the first of them has the number `first` in the assembly.
    fn rows(&self, first: u64) -> Result<Rows<'_>, AssembleError>;

    /// What tables of sources call it; empty where there is only one kind of them.
    fn source(&self) -> &str {
        ""
    }

    /// The id of a row that has none of its own.
    fn default_id(&self, row: u64) -> String;
}
