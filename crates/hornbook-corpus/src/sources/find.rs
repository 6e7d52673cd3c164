//! Which files are meant by files and directories.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use hornbook_records::RecordFormat;

use super::{SourceFile, metadata};
use crate::assemble::limits::{SOURCE_DIRECTORY_DEPTH, SOURCE_FILES};
use crate::error::AssembleError;

/// The files named, and those of directories with everything below them in the order of their paths.
///
/// Files are told by their names: `.parquet`, `.jsonl`, `.ndjson`, the latter two also with `.zst`. In a
/// directory other files and hidden ones are passed over; a file that is named itself must be
/// one of these. A directory with nothing to read is an error.
pub fn find_sources(paths: &[PathBuf]) -> Result<Vec<SourceFile>, AssembleError> {
    let mut found = Vec::new();
    for path in paths {
        if metadata(path)?.is_dir() {
            let before = found.len();
            let mut files = Vec::new();
            walk(path, SOURCE_DIRECTORY_DEPTH, &mut files)?;
            files.sort_unstable();
            for file in files {
                let label = file.strip_prefix(path).unwrap_or(&file).to_path_buf();
                found.push((file, label));
            }
            if found.len() == before {
                let message = "no .parquet, .jsonl or .jsonl.zst file is in it".to_owned();
                return Err(AssembleError::Source { path: path.clone(), message });
            }
        } else if document_format(path).is_some() {
            let label = path.file_name().map_or_else(|| path.clone(), PathBuf::from);
            found.push((path.clone(), label));
        } else {
            let message = "a source's name ends in .parquet, .jsonl or .jsonl.zst".to_owned();
            return Err(AssembleError::Source { path: path.clone(), message });
        }
        if found.len() > SOURCE_FILES {
            return Err(AssembleError::Request(format!("more than {SOURCE_FILES} source files")));
        }
    }
    named(found)
}

/// The files of other corpora, which are only compared with: of rows that lie side by side in both formats,
/// `NAME.parquet` and `NAME.jsonl.zst`, the former.
pub(crate) fn find_references(paths: &[PathBuf]) -> Result<Vec<SourceFile>, AssembleError> {
    let mut found = find_sources(paths)?;
    let parquet: BTreeSet<PathBuf> = found
        .iter()
        .filter(|file| file.format == RecordFormat::Parquet)
        .map(|file| file.path.with_extension(""))
        .collect();
    found.retain(|file| {
        let name = file.path.to_string_lossy();
        name.strip_suffix(".jsonl.zst").is_none_or(|stem| !parquet.contains(Path::new(stem)))
    });
    Ok(found)
}

/// Gives each file its label; files that would share one are called by the whole path as given.
fn named(found: Vec<(PathBuf, PathBuf)>) -> Result<Vec<SourceFile>, AssembleError> {
    let mut uses = BTreeMap::new();
    for (_, label) in &found {
        *uses.entry(label.clone()).or_insert(0) += 1;
    }
    let mut sources = Vec::with_capacity(found.len());
    for (path, label) in found {
        let Some(format) = document_format(&path) else { continue };
        let label = if uses[&label] > 1 { &path } else { &label };
        let metadata = metadata(&path)?;
        sources.push(SourceFile {
            label: label.to_string_lossy().into_owned(),
            name: None,
            format,
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            path,
        });
    }
    Ok(sources)
}

fn walk(dir: &Path, depth_left: usize, files: &mut Vec<PathBuf>) -> Result<(), AssembleError> {
    if depth_left == 0 {
        let message = format!("directories are nested more than {SOURCE_DIRECTORY_DEPTH} deep");
        return Err(AssembleError::Source { path: dir.to_owned(), message });
    }
    for entry in fs::read_dir(dir).map_err(AssembleError::io(dir))? {
        let path = entry.map_err(AssembleError::io(dir))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if metadata(&path)?.is_dir() {
            walk(&path, depth_left - 1, files)?;
        } else if document_format(&path).is_some() && !is_report(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// What a build writes beside its corpus is not another source of documents.
fn is_report(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new(crate::build::REMOVED_PATH))
}

fn document_format(path: &Path) -> Option<RecordFormat> {
    let format = RecordFormat::of_file_name(&path.file_name()?.to_string_lossy())?;
    matches!(format, RecordFormat::Parquet | RecordFormat::Ndjson).then_some(format)
}
