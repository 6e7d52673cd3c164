//! Finished corpora and the lines that pull them.

use hornbook_db::corpora::Owner;
use hornbook_types::CorpusFile;
use serde::Serialize;

use super::super::text;
use super::{MixedRow, When};

/// `corpora.html`.
#[derive(Debug, Serialize)]
pub(crate) struct CorporaPage {
    pub(crate) mixed: Vec<MixedRow>,
    pub(crate) more_mixed: Option<String>,
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

/// A file as a line of a table, with the way to it.
pub(crate) fn file_row(owner: Owner, file: CorpusFile) -> FileRow {
    FileRow {
        href: format!("{}/{}", files_path(owner), file.path),
        path: file.path,
        rows: file.rows.map(text::count),
        size: text::bytes(file.bytes),
        sha256: file.sha256,
    }
}

/// Where the files of a corpus are served.
fn files_path(owner: Owner) -> String {
    match owner {
        Owner::Job(id) => format!("/v1/jobs/{id}/corpus/files"),
        Owner::Mixed(id) => format!("/v1/corpora/{id}/corpus/files"),
    }
}

/// The ways to pull a corpus from the service at `base_url`, with the tools people have.
///
/// Where a key is needed (`open` is false) it comes from the reader's environment.
pub(crate) fn pull_lines(
    base_url: &str,
    open: bool,
    owner: impl Into<Owner>,
    files: &[CorpusFile],
) -> Vec<PullLine> {
    let owner = owner.into();
    let (named, place) = match owner {
        Owner::Job(id) => (id.to_string(), files_path(owner)),
        Owner::Mixed(id) => (format!("corpora/{id}"), files_path(owner)),
    };
    let mut lines = vec![PullLine {
        title: "Hornbook's own client",
        line: format!("hornbook corpus pull {named} --url {base_url} -o corpus"),
    }];
    // polars cannot send a header with a plain http address.
    if open && let Some(shard) = files.iter().find(|file| file.path.ends_with(".parquet")) {
        lines.push(PullLine {
            title: "polars",
            line: format!("pl.read_parquet(\"{base_url}{place}/{}\")", shard.path),
        });
    }
    if let Some(file) = files.iter().find(|file| file.rows.is_some()).or_else(|| files.first()) {
        let key = if open { "" } else { "-H \"Authorization: Bearer $HORNBOOK_KEY\" " };
        lines.push(PullLine {
            title: "curl",
            line: format!("curl -fLO {key}{base_url}{place}/{}", file.path),
        });
    }
    lines
}
