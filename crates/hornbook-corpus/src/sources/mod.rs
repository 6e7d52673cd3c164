//! Files of documents that a corpus is built from.

mod find;
mod row;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hornbook_records::{DocumentRow, Documents, RecordError, RecordFormat, read_documents};

pub(crate) use find::find_references;
pub use find::find_sources;
pub(crate) use row::score_in;

use crate::assemble::{Part, Row, Rows};
use crate::error::AssembleError;
use crate::hashing::sha256_of_file;

/// A file of documents.
#[derive(Clone, Debug)]
pub struct SourceFile {
    path: PathBuf,
    label: String,
    name: Option<String>,
    format: RecordFormat,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl SourceFile {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What rows without an id of their own are named after.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What a mix calls the source that it belongs to.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The same file as part of a mix's source, and labelled so.
    pub(crate) fn named(self, name: &str) -> Self {
        Self { label: format!("{name}/{}", self.label), name: Some(name.to_owned()), ..self }
    }

    /// The id of a row that has none of its own.
    pub(crate) fn row_id(&self, row: u64) -> String {
        format!("{}#{row}", self.label)
    }

    fn error(&self, message: impl ToString) -> AssembleError {
        AssembleError::Source { path: self.path.clone(), message: message.to_string() }
    }

    fn open(&self) -> Result<File, AssembleError> {
        let file = File::open(&self.path).map_err(AssembleError::io(&self.path))?;
        let now = file.metadata().map_err(AssembleError::io(&self.path))?;
        if now.len() != self.bytes || now.modified().ok() != self.modified {
            return Err(self.error("the file was changed while it was in use"));
        }
        Ok(file)
    }
}

impl Part for SourceFile {
    fn digest(&self) -> Result<String, AssembleError> {
        let mut file = self.open()?;
        sha256_of_file(&mut file).map_err(AssembleError::io(&self.path))
    }

    fn rows(&self, first: u64) -> Result<Rows<'_>, AssembleError> {
        let documents = read_documents(self.format, self.open()?).map_err(|why| self.wrong(why))?;
        Ok(Box::new(FileRows { source: self, documents, first, row: 0 }))
    }

    fn source(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.label)
    }

    fn default_id(&self, row: u64) -> String {
        self.row_id(row)
    }
}

impl SourceFile {
    fn wrong(&self, why: RecordError) -> AssembleError {
        self.error(why)
    }
}

struct FileRows<'a> {
    source: &'a SourceFile,
    documents: Documents,
    first: u64,
    row: u64,
}

impl FileRows<'_> {
    fn convert(&mut self, document: DocumentRow) -> Row {
        let (source, row) = (self.source, self.row);
        self.row += 1;
        row::convert(document, self.first + row, || source.row_id(row))
    }
}

impl Iterator for FileRows<'_> {
    type Item = Result<Row, AssembleError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.documents.next()? {
            Ok(document) => Ok(self.convert(document)),
            Err(why) => Err(self.source.wrong(why)),
        })
    }
}

fn metadata(path: &Path) -> Result<fs::Metadata, AssembleError> {
    fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            AssembleError::Request(format!("there is no source {}", path.display()))
        }
        _ => AssembleError::io(path)(error),
    })
}
