//! From the benchmarks that an assembly names to the versions that it means.

use hornbook_db::benchmarks;
use hornbook_types::limits::{BENCHMARK_BYTES, BENCHMARK_ITEMS, BENCHMARKS_PER_CORPUS};
use hornbook_types::{AssemblySpec, FieldError, Pinned, Reference};

use crate::v1::version::found;
use crate::{AppState, Problem};

/// Pins every benchmark of `assembly` to the version that it has now, with the hash of its items.
///
/// What is wrong is added to `faults`, with pointers below `at`.
pub(crate) async fn pin_benchmarks(
    state: &AppState,
    assembly: &mut AssemblySpec,
    at: &str,
    faults: &mut Vec<FieldError>,
) -> Result<(), Problem> {
    if !assembly.benchmarks.is_empty() {
        let what = "is filled in by the service; name benchmarks in decontaminate";
        faults.push(FieldError::new(format!("{at}/benchmarks"), what));
    }
    let at = format!("{at}/decontaminate");
    if assembly.decontaminate.len() > BENCHMARKS_PER_CORPUS {
        let most = format!("names more than {BENCHMARKS_PER_CORPUS} benchmarks");
        faults.push(FieldError::new(at, most));
        return Ok(());
    }
    let (mut items, mut bytes) = (0, 0);
    let mut pinned: Vec<Pinned> = Vec::with_capacity(assembly.decontaminate.len());
    for (index, name) in assembly.decontaminate.iter().enumerate() {
        let reference: Option<Reference> = name.parse().ok();
        let benchmark = match &reference {
            Some(reference) => found(benchmarks::get(&state.db, reference).await)?,
            None => None,
        };
        let Some(benchmark) = benchmark else {
            let what = format!("there is no benchmark '{name}'");
            faults.push(FieldError::new(format!("{at}/{index}"), what));
            continue;
        };
        let named = pinned.iter().find(|named| named.slug == benchmark.pinned.slug);
        match named {
            // Twice the same one is once.
            Some(named) if *named == benchmark.pinned => continue,
            Some(named) => {
                let what = format!("'{named}' is named too; one version is enough");
                faults.push(FieldError::new(format!("{at}/{index}"), what));
                continue;
            }
            None => {}
        }
        items += benchmark.content.items;
        bytes += benchmark.content.bytes;
        assembly.benchmarks.insert(benchmark.pinned.to_string(), benchmark.content.sha256);
        pinned.push(benchmark.pinned);
    }
    if items > BENCHMARK_ITEMS || bytes > BENCHMARK_BYTES {
        let most = format!(
            "the benchmarks have {items} items and {bytes} bytes together; at most \
             {BENCHMARK_ITEMS} and {BENCHMARK_BYTES} are allowed"
        );
        faults.push(FieldError::new(at, most));
    }
    assembly.decontaminate = pinned.iter().map(ToString::to_string).collect();
    Ok(())
}
