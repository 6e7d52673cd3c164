//! Finished corpora and the lines that pull them.

use hornbook_types::CorpusFile;
use serde::Serialize;
use uuid::Uuid;

use super::When;

/// `corpora.html`.
#[derive(Debug, Serialize)]
pub(crate) struct CorporaPage {
    pub(crate) corpora: Vec<CorpusCard>,
    pub(crate) next: Option<String>,
    pub(crate) first: Option<String>,
}

/// One finished corpus.
#[derive(Debug, Serialize)]
pub(crate) struct CorpusCard {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) partial: bool,
    pub(crate) rows: String,
    pub(crate) tokens: String,
    pub(crate) size: String,
    pub(crate) published: When,
    pub(crate) pull: Vec<PullLine>,
    pub(crate) files: Vec<FileRow>,
}

/// One file of a corpus.
#[derive(Debug, Serialize)]
pub(crate) struct FileRow {
    pub(crate) path: String,
    pub(crate) href: String,
    pub(crate) rows: Option<String>,
    pub(crate) size: String,
    pub(crate) sha256: String,
}

/// A command that pulls a corpus.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PullLine {
    pub(crate) title: &'static str,
    pub(crate) line: String,
}

/// The ways to pull `job`'s corpus from the service at `base_url`, with the tools people have.
///
/// Where a key is needed (`open` is false) it comes from the reader's environment.
pub(crate) fn pull_lines(
    base_url: &str,
    open: bool,
    job: Uuid,
    files: &[CorpusFile],
) -> Vec<PullLine> {
    let mut lines = vec![PullLine {
        title: "Hornbook's own client",
        line: format!("hornbook corpus pull {job} --url {base_url} -o corpus"),
    }];
    // polars cannot send a header with a plain http address.
    if open && let Some(shard) = files.iter().find(|file| file.path.ends_with(".parquet")) {
        lines.push(PullLine {
            title: "polars",
            line: format!(
                "pl.read_parquet(\"{base_url}/v1/jobs/{job}/corpus/files/{}\")",
                shard.path
            ),
        });
    }
    if let Some(file) = files.iter().find(|file| file.rows.is_some()).or_else(|| files.first()) {
        let key = if open { "" } else { "-H \"Authorization: Bearer $HORNBOOK_KEY\" " };
        lines.push(PullLine {
            title: "curl",
            line: format!("curl -fLO {key}{base_url}/v1/jobs/{job}/corpus/files/{}", file.path),
        });
    }
    lines
}
