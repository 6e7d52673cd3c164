//! What the page of imports and benchmarks shows.

use serde::Serialize;

use super::common::When;

/// `imports.html`.
#[derive(Debug, Serialize)]
pub(crate) struct ImportsPage {
    pub(crate) imports: Vec<ImportRow>,
    pub(crate) benchmarks: Vec<BenchmarkRow>,
    pub(crate) import_line: String,
    pub(crate) benchmark_line: String,
}

/// One import.
#[derive(Debug, Serialize)]
pub(crate) struct ImportRow {
    pub(crate) slug: String,
    pub(crate) version: u32,
    pub(crate) state: &'static str,
    pub(crate) rows: String,
    pub(crate) tokens: String,
    pub(crate) license: String,
    pub(crate) redistribution: &'static str,
    pub(crate) from: String,
    pub(crate) source: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) created: When,
}

/// One benchmark.
#[derive(Debug, Serialize)]
pub(crate) struct BenchmarkRow {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) items: String,
    pub(crate) created: When,
}
