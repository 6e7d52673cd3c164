//! Text that was written elsewhere, and the benchmarks that corpora are kept clean of.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::benchmarks::{self, Benchmark};
use hornbook_db::imports::{self, Import};
use hornbook_types::ImportOrigin;

use super::chrome::Chrome;
use super::view::{BenchmarkRow, ImportRow, ImportsPage};
use super::{CATALOG_ROWS, show, text};
use crate::{AppState, CanRead, Problem};

/// `GET /imports`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let base = &state.config.base_url;
    let found = imports::list(&state.db, None, CATALOG_ROWS).await?;
    let benchmarks = benchmarks::list(&state.db, None, CATALOG_ROWS).await?;
    let view = ImportsPage {
        imports: found.iter().map(import_row).collect(),
        benchmarks: benchmarks.iter().map(benchmark_row).collect(),
        import_line: format!(
            "curl -T texts.jsonl -H 'content-type: application/x-ndjson' \
             '{base}/v1/imports/my-texts?license=CC-BY-4.0'"
        ),
        benchmark_line: format!(
            "curl -T items.jsonl -H 'content-type: application/x-ndjson' '{base}/v1/benchmarks/my-benchmark'"
        ),
    };
    show("imports.html", &Chrome::new(&caller, "imports").exact(), &view)
}

fn import_row(import: &Import) -> ImportRow {
    ImportRow {
        slug: import.pinned.slug.to_string(),
        version: import.pinned.version,
        state: import.state.as_str(),
        rows: text::count(import.rows_so_far),
        tokens: text::count(import.content.tokens),
        license: import.license.clone(),
        redistribution: import.redistribution.as_str(),
        from: match &import.origin {
            ImportOrigin::Upload { .. } => "upload".to_owned(),
            ImportOrigin::Path { path } => path.clone(),
            ImportOrigin::Hub { hub, config, split, .. } => format!("{hub}: {config}, {split}"),
        },
        source: import.source.clone(),
        error: import.error.clone(),
        created: import.created_at.into(),
    }
}

fn benchmark_row(benchmark: &Benchmark) -> BenchmarkRow {
    BenchmarkRow {
        name: benchmark.pinned.slug.to_string(),
        version: benchmark.pinned.version,
        items: text::count(benchmark.content.items),
        created: benchmark.created_at.into(),
    }
}
