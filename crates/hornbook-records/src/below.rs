//! Files below a directory that somebody may not leave.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::RecordFormat;

/// Directories within directories that are looked into.
const DEPTH: usize = 16;
/// Files that one path may name.
const FILES: usize = 100_000;

/// Why a path names nothing that may be read. What is said names the path as it was asked for, never
/// the directory that it must lie in.
#[derive(Debug, thiserror::Error)]
pub enum BelowError {
    /// It leads, or might lead, elsewhere.
    #[error("'{0}' must be a path below the import root, without '..'")]
    Outside(String),
    /// A part of it is a symbolic link.
    #[error("'{0}' is a symbolic link, which is not followed")]
    Link(String),
    /// There is nothing there.
    #[error("there is no file or directory '{0}' below the import root")]
    Missing(String),
    /// There is nothing there that can be read as documents.
    #[error(
        "'{0}' is not a file of documents, and no directory of such (.parquet, .jsonl, .csv; the latter two also .zst or .gz)"
    )]
    NoDocuments(String),
    /// There are too many files, or they lie too deep.
    #[error("'{0}' holds more than {FILES} files, or directories more than {DEPTH} deep")]
    TooMany(String),
    /// It cannot be looked at.
    #[error("'{0}' cannot be read: {1}")]
    Io(String, io::Error),
}

/// A file of documents, and its path below the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBelow {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called below the root.
    pub label: String,
    /// Its format.
    pub format: RecordFormat,
    /// Its size.
    pub bytes: u64,
}

/// The file at `path` below `root`, or the files of documents in the directory there, in the order of
/// their paths.
///
/// Neither `..` nor symbolic links are followed, nor is anything looked at whose name begins with a dot.
pub fn files_below(root: &Path, path: &str) -> Result<Vec<FileBelow>, BelowError> {
    let outside = || BelowError::Outside(path.to_owned());
    let root = root.canonicalize().map_err(|error| BelowError::Io(path.to_owned(), error))?;
    let mut place = root.clone();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::CurDir => continue,
            _ => return Err(outside()),
        }
        let label = label(&root, &place);
        let metadata = place.symlink_metadata().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                BelowError::Missing(path.to_owned())
            }
            _ => BelowError::Io(label.clone(), error),
        })?;
        if metadata.is_symlink() {
            return Err(BelowError::Link(label));
        }
    }
    // What was looked at part by part must be what the system finds as a whole.
    let real = place.canonicalize().map_err(|error| BelowError::Io(path.to_owned(), error))?;
    if path.contains('\0') || real != place || !real.starts_with(&root) {
        return Err(outside());
    }
    let mut found = Vec::new();
    if place.is_dir() {
        walk(&root, &place, DEPTH, path, &mut found)?;
        found.sort_unstable_by(|a: &FileBelow, b| a.label.cmp(&b.label));
    } else {
        found.extend(document_file(&root, &place)?);
    }
    if found.is_empty() { Err(BelowError::NoDocuments(path.to_owned())) } else { Ok(found) }
}

fn walk(
    root: &Path,
    dir: &Path,
    depth_left: usize,
    asked: &str,
    found: &mut Vec<FileBelow>,
) -> Result<(), BelowError> {
    if depth_left == 0 {
        return Err(BelowError::TooMany(asked.to_owned()));
    }
    let failed = |error| BelowError::Io(label(root, dir), error);
    for entry in dir.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(root, &entry.path(), depth_left - 1, asked, found)?;
        } else if kind.is_file() {
            found.extend(document_file(root, &entry.path())?);
        }
        if found.len() > FILES {
            return Err(BelowError::TooMany(asked.to_owned()));
        }
    }
    Ok(())
}

/// `None` for whatever is no regular file with the name of one of documents.
fn document_file(root: &Path, path: &Path) -> Result<Option<FileBelow>, BelowError> {
    let label = label(root, path);
    let format = RecordFormat::of_file_name(&label);
    let Some(format) = format.filter(|format| *format != RecordFormat::Json) else {
        return Ok(None);
    };
    let metadata = path.symlink_metadata();
    let metadata = metadata.map_err(|error| BelowError::Io(label.clone(), error))?;
    let file = FileBelow { path: path.to_owned(), label, format, bytes: metadata.len() };
    Ok(metadata.is_file().then_some(file))
}

fn label(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
