//! The benchmarks that a corpus is kept clean of, out of the corpus store.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hornbook_corpus::WantedBenchmarks;
use hornbook_corpus::decontaminate::{Benchmarks, Mode};
use hornbook_db::benchmarks;
use hornbook_types::{AssemblySpec, Reference};
use object_store::ObjectStoreExt as _;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use crate::segments::blocking;
use crate::shared::{Shared, until_answered};

/// A benchmark as it was when it was pinned.
struct Found {
    /// `name@version`.
    pinned: String,
    /// What reports call it.
    name: String,
    items: Bytes,
}

/// Reads the benchmarks that `assembly` pins; `None` where it names none.
///
/// Their items are those of the version and hash that were pinned, whatever was stored since.
pub(crate) async fn wanted(
    shared: &Shared,
    assembly: &AssemblySpec,
    halt: &CancellationToken,
) -> Result<Option<WantedBenchmarks>, Fault> {
    let found = find(shared, assembly, halt).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let wanted = blocking(move || {
        let mut all = Benchmarks::default();
        for Found { pinned, name, items } in found {
            all.load(&name, Cursor::new(items))
                .map_err(|error| Fault::Benchmark { name: pinned, what: error.to_string() })?;
        }
        Ok::<_, Fault>(WantedBenchmarks::new(&all, &[], Mode::Strict)?)
    });
    wanted.await?.map(Some)
}

/// Writes the benchmarks that `assembly` pins into `dir`, each to a file of its name; gives the files
/// and the names.
pub(crate) async fn files(
    shared: &Shared,
    assembly: &AssemblySpec,
    dir: &Path,
    halt: &CancellationToken,
) -> Result<(Vec<PathBuf>, Vec<String>), Fault> {
    let (mut paths, mut names) = (Vec::new(), Vec::new());
    for Found { name, items, .. } in find(shared, assembly, halt).await? {
        let path = dir.join(format!("{name}.jsonl"));
        tokio::fs::create_dir_all(dir).await.map_err(|error| Fault::file(dir, &error))?;
        tokio::fs::write(&path, items).await.map_err(|error| Fault::file(&path, &error))?;
        paths.push(path);
        names.push(name);
    }
    Ok((paths, names))
}

async fn find(
    shared: &Shared,
    assembly: &AssemblySpec,
    halt: &CancellationToken,
) -> Result<Vec<Found>, Fault> {
    let mut all = Vec::with_capacity(assembly.decontaminate.len());
    for pinned in &assembly.decontaminate {
        let fault = |what: String| Fault::Benchmark { name: pinned.clone(), what };
        let reference: Reference = pinned.parse().map_err(fault)?;
        let found = until_answered(halt, || benchmarks::get(&shared.db, &reference)).await?;
        let place = object_store::path::Path::from(found.content.location.as_str());
        let items = shared.store.get(&place).await?.bytes().await?;
        let sha256 = hex::encode(Sha256::digest(&items));
        let expected = assembly.benchmarks.get(pinned).unwrap_or(&found.content.sha256);
        if sha256 != *expected {
            return Err(fault(format!("sha256 is {sha256} where {expected} was expected")));
        }
        all.push(Found { pinned: pinned.clone(), name: reference.slug.to_string(), items });
    }
    Ok(all)
}
