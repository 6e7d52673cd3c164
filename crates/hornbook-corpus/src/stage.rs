//! A segment as one file among a corpus's sources.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hornbook_records::JsonlZstWriter;

use crate::assemble::Part as _;
use crate::error::AssembleError;
use crate::hashing::create;
use crate::segment::Segment;

/// Puts a segment into the directory of a source, or those of its documents that `takes` says, by number.
///
/// The file is named after the segment's first prompt alone: how far a job has been exported must not
/// show where the documents are the same. Nothing taken is no file and gives `None`.
pub fn stage_segment(
    segment: &Segment,
    dir: &Path,
    takes: Option<&dyn Fn(u64) -> bool>,
) -> Result<Option<PathBuf>, AssembleError> {
    let path = dir.join(format!("{:012}.jsonl.zst", segment.lo));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(AssembleError::io(&path)(error));
        }
        _ => {}
    }
    match takes {
        None if segment.rows == 0 => Ok(None),
        None => {
            // Not every file system has links.
            if fs::hard_link(segment.path(), &path).is_err() {
                fs::copy(segment.path(), &path).map_err(AssembleError::io(&path))?;
            }
            Ok(Some(path))
        }
        Some(takes) => filter(segment, path, takes),
    }
}

fn filter(
    segment: &Segment,
    path: PathBuf,
    takes: &dyn Fn(u64) -> bool,
) -> Result<Option<PathBuf>, AssembleError> {
    let mut out = JsonlZstWriter::new(create(&path)?).map_err(AssembleError::write(&path))?;
    let mut rows = 0_u64;
    for row in segment.rows(0)? {
        let row = row?.row;
        if takes(row.seq) {
            out.write(&row).map_err(AssembleError::write(&path))?;
            rows += 1;
        }
    }
    let (file, _, _) = out.finish().map_err(AssembleError::write(&path))?.finish();
    drop(file);
    if rows == 0 {
        fs::remove_file(&path).map_err(AssembleError::io(&path))?;
        return Ok(None);
    }
    Ok(Some(path))
}
