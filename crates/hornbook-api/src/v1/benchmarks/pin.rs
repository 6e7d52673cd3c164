//! From the benchmarks that an assembly names to the versions that it means.

use hornbook_db::benchmarks;
use hornbook_types::limits::{BENCHMARK_BYTES, BENCHMARK_ITEMS, BENCHMARKS_PER_CORPUS};
use hornbook_types::{AssemblySpec, FieldError, Reference};

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
    let mut pinned = Vec::with_capacity(assembly.decontaminate.len());
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
        items += benchmark.content.items;
        bytes += benchmark.content.bytes;
        assembly.benchmarks.insert(benchmark.pinned.to_string(), benchmark.content.sha256);
        pinned.push(benchmark.pinned.to_string());
    }
    if items > BENCHMARK_ITEMS || bytes > BENCHMARK_BYTES {
        let most = format!(
            "the benchmarks have {items} items and {bytes} bytes together; at most \
             {BENCHMARK_ITEMS} and {BENCHMARK_BYTES} are allowed"
        );
        faults.push(FieldError::new(at, most));
    }
    // Twice the same one is once.
    let mut seen = std::collections::BTreeSet::new();
    pinned.retain(|name| seen.insert(name.clone()));
    assembly.decontaminate = pinned;
    Ok(())
}
