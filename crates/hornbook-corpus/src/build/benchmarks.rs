//! The benchmarks that a build keeps out of its corpus.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::manifest::BuiltFrom;
use crate::decontaminate::{BenchmarkError, Benchmarks, Decontaminator, Mode};
use crate::error::AssembleError;
use crate::hashing::{sha256_hex, sha256_of_file};

/// What is looked for, and which files it came from.
pub(super) struct Wanted {
    pub(super) decontaminator: Decontaminator,
    /// A name for exactly these items.
    pub(super) digest: String,
    pub(super) files: Vec<BuiltFrom>,
}

/// Reads benchmark files; of their benchmarks those in `names`, or all where it is empty.
pub(super) fn read(paths: &[PathBuf], names: &[String]) -> Result<Option<Wanted>, AssembleError> {
    let mut all = Benchmarks::default();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        files.push(read_file(&mut all, path)?);
    }
    let known: BTreeSet<&str> = all.items().iter().map(|item| item.benchmark.as_str()).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) {
        let message = format!("there is no benchmark '{name}' among those given");
        return Err(AssembleError::Request(message));
    }
    if paths.is_empty() {
        return Ok(None);
    }
    let mut wanted = Benchmarks::default();
    for item in all.items() {
        if names.is_empty() || names.contains(&item.benchmark) {
            let pushed = wanted.push(item.clone());
            pushed.map_err(|fault| AssembleError::Request(fault.to_string()))?;
        }
    }
    let mode = Mode::Strict;
    let digests: Vec<&str> = files.iter().map(|file| file.sha256.as_str()).collect();
    let digest = serde_json::to_vec(&(mode, digests, names))
        .map_err(|error| AssembleError::Row(error.to_string()))?;
    let digest = sha256_hex(&digest);
    Ok(Some(Wanted { decontaminator: Decontaminator::new(&wanted, mode), digest, files }))
}

fn read_file(all: &mut Benchmarks, path: &Path) -> Result<BuiltFrom, AssembleError> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            AssembleError::Request(format!("there is no benchmark file {}", path.display()))
        }
        _ => AssembleError::io(path)(error),
    })?;
    let sha256 = sha256_of_file(&mut file).map_err(AssembleError::io(path))?;
    file.seek(SeekFrom::Start(0)).map_err(AssembleError::io(path))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    all.load(&stem, BufReader::new(file)).map_err(|error| AssembleError::Source {
        path: path.to_owned(),
        message: match error {
            BenchmarkError::Line { line, fault, .. } => format!("line {line}: {fault}"),
            other => other.to_string(),
        },
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(BuiltFrom { file: name.into_owned(), sha256 })
}
