//! The benchmarks that a build keeps out of its corpus.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::manifest::BuiltFrom;
use crate::assemble::WantedBenchmarks;
use crate::decontaminate::{BenchmarkError, Benchmarks, Mode};
use crate::error::AssembleError;
use crate::hashing::sha256_of_file;

/// Reads benchmark files; of their benchmarks those in `names` are wanted, or all where it is empty.
pub(super) fn read(
    paths: &[PathBuf],
    names: &[String],
) -> Result<(Option<WantedBenchmarks>, Vec<BuiltFrom>), AssembleError> {
    let mut all = Benchmarks::default();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        files.push(read_file(&mut all, path)?);
    }
    let wanted = WantedBenchmarks::new(&all, names, Mode::Strict)?;
    Ok(((!paths.is_empty()).then_some(wanted), files))
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
    Ok(BuiltFrom { file: name.into_owned(), sha256, source: None })
}
