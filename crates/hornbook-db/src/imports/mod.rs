//! Imports: text that was written elsewhere, in immutable versions.
//!
//! An upload is stored when its files are complete; what lies on the operator's disk or on the Hub
//! is noted here first, and a worker that leases it makes the files. A failed version is
//! taken up again by the next request of its name; a ready one never changes.

mod delete;
mod lease;
mod put;
mod read;

use hornbook_types::{CorpusFile, ImportKind, ImportOrigin, ImportState, Pinned, Redistribution};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::DbError;
use crate::convert::{from_sql, from_sql32, name};

pub use delete::{ImportPurge, delete, finish_purge, next_purge};
pub use lease::{Claimed, ImportKey, claim, fail, finish, heartbeat, note, release};
pub use put::{request, store};
pub use read::{by_id, get, list, state};

/// One version of an import.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Its id, by which its files are kept.
    pub id: Uuid,
    /// Name and version.
    pub pinned: Pinned,
    /// Where it stands.
    pub state: ImportState,
    /// Where the documents come from.
    pub origin: ImportOrigin,
    /// Licence of the documents, as whoever imported them named it.
    pub license: String,
    /// What that licence says of passing them on.
    pub redistribution: Redistribution,
    /// Where they come from, in the words of whoever imported them.
    pub source: Option<String>,
    /// Column that held the documents.
    pub text_column: String,
    /// What there is of it; empty unless it is ready.
    pub content: ImportContent,
    /// Where its files lie in the corpus store; a file is at `location/path`.
    pub location: String,
    /// Documents that a worker has read so far.
    pub rows_so_far: u64,
    /// Why it failed, if it did; names the place.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it became ready or failed.
    pub finished_at: Option<OffsetDateTime>,
}

/// The files of an import: Parquet with the columns of a corpus, in the order of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportContent {
    /// SHA-256 over the files' paths and hashes, 64 hex digits; empty while there are none.
    pub sha256: String,
    /// Documents.
    pub rows: u64,
    /// Bytes of their texts.
    pub text_bytes: u64,
    /// Tokens: counted where the documents say so, else estimated from their bytes.
    pub tokens: u64,
    /// Every file.
    pub files: Vec<CorpusFile>,
}

impl ImportContent {
    /// Names what files hold: SHA-256 over a line of path and hash for each, in their order.
    pub fn digest(files: &[CorpusFile]) -> String {
        let mut hash = Sha256::new();
        for file in files {
            hash.update(format!("{} {}\n", file.path, file.sha256));
        }
        hex::encode(hash.finalize())
    }
}

/// What is asked for by whoever imports something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImport {
    /// Where the documents come from.
    pub origin: ImportOrigin,
    /// Licence of the documents.
    pub license: String,
    /// Where they come from, in words.
    pub source: Option<String>,
    /// Column that holds the documents.
    pub text_column: String,
}

/// Where the files of an import lie in the corpus store.
pub fn location(id: Uuid) -> String {
    format!("imports/{id}")
}

const COLUMNS: &str = "id, slug, version, state, origin, license, redistribution, source,
    text_column, sha256, row_count, text_bytes, tokens, files, location, progress, error, created_at,
    finished_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    slug: String,
    version: i32,
    state: String,
    origin: Json<ImportOrigin>,
    license: String,
    redistribution: String,
    source: Option<String>,
    text_column: String,
    sha256: String,
    row_count: i64,
    text_bytes: i64,
    tokens: i64,
    files: Json<Vec<CorpusFile>>,
    location: String,
    progress: Option<Json<Value>>,
    error: Option<String>,
    created_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
}

impl Row {
    fn into_import(self) -> Result<Import, DbError> {
        let state = parse_state(&self.state)?;
        let noted = self.progress.as_ref().and_then(|noted| noted.0.get("rows")?.as_u64());
        Ok(Import {
            id: self.id,
            pinned: Pinned { slug: name(&self.slug, "import")?, version: from_sql32(self.version) },
            state,
            origin: self.origin.0,
            license: self.license,
            redistribution: Redistribution::parse(&self.redistribution),
            source: self.source,
            text_column: self.text_column,
            content: ImportContent {
                sha256: self.sha256,
                rows: from_sql(self.row_count),
                text_bytes: from_sql(self.text_bytes),
                tokens: from_sql(self.tokens),
                files: self.files.0,
            },
            location: self.location,
            rows_so_far: match state {
                ImportState::Ready => from_sql(self.row_count),
                _ => noted.unwrap_or(0),
            },
            error: self.error,
            created_at: self.created_at,
            finished_at: self.finished_at,
        })
    }
}

fn parse_state(name: &str) -> Result<ImportState, DbError> {
    ImportState::parse(name).ok_or_else(|| DbError::Other(format!("unknown import state {name}")))
}

/// Kinds that a worker may take up, as SQL wants them.
fn kind_names(kinds: &[ImportKind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.as_str()).collect()
}

/// True when `import` is what `new` asks for; the commit that the Hub named is none of that.
fn same_request(import: &Import, new: &NewImport) -> bool {
    let mut origin = import.origin.clone();
    if let ImportOrigin::Hub { commit, .. } = &mut origin {
        *commit = None;
    }
    origin == new.origin
        && import.license == new.license
        && import.source == new.source
        && import.text_column == new.text_column
}
