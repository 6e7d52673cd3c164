//! Says what a dataset is.

use axum::Json;
use axum::extract::{Path, State};
use hornbook_db::corpora::StoredFile;
use serde::{Deserialize, Serialize};

use super::dataset::{Asked, Dataset};
use super::entry::{Entry, timestamp};
use super::source;
use super::tree::is_true;
use crate::extract::QueryParams;
use crate::{AppState, CanRead, Problem};

/// How much to say; parameters that other services know are ignored.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InfoQuery {
    /// `true`: with size and hash of every file.
    blobs: Option<String>,
}

/// A dataset at a revision.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Dataset)]
pub(super) struct DatasetView {
    /// `jobs/{id}` or `corpora/{id}`.
    id: String,
    /// What stands before the slash.
    author: String,
    /// The commit.
    sha: String,
    /// When the revision was published.
    #[serde(rename = "lastModified")]
    last_modified: String,
    /// Always false: whoever may read this may read the files.
    private: bool,
    /// Always false.
    gated: bool,
    /// Always false.
    disabled: bool,
    /// Not counted.
    downloads: u64,
    /// Not counted.
    likes: u64,
    /// `hornbook`, and `partial` when a job of it had not ended.
    tags: Vec<&'static str>,
    /// The files.
    siblings: Vec<SiblingView>,
    /// The head of the dataset card, in short; `README.md` has all of it.
    #[serde(rename = "cardData")]
    card_data: CardView,
}

/// A file of a dataset, by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetSibling)]
pub(super) struct SiblingView {
    /// Path within the dataset.
    rfilename: String,
    /// Bytes, when `blobs` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// As `oid` of the file's entry, when `blobs` asks for it.
    #[serde(rename = "blobId", skip_serializing_if = "Option::is_none")]
    blob_id: Option<String>,
    /// As in the file's entry (but `sha256` for `oid`), when `blobs` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lfs: Option<SiblingLfs>,
}

/// Where a file's content lies.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetSiblingLfs)]
pub(super) struct SiblingLfs {
    /// SHA-256 of the content.
    sha256: String,
    /// Bytes of the content.
    size: u64,
    /// Bytes of the pointer that stands for it in git.
    #[serde(rename = "pointerSize")]
    pointer_size: u64,
}

/// The head of a dataset card, in short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetCard)]
pub(super) struct CardView {
    /// What people call the dataset.
    pretty_name: String,
    /// As the dataset's.
    tags: Vec<&'static str>,
}

/// A dataset at its newest revision.
#[utoipa::path(
    get, path = "/api/datasets/{ns}/{id}", tag = "hub",
    params(
        ("ns" = String, Path, description = "`jobs` or `corpora`"),
        ("id" = String, Path, description = "The job, or the mixed corpus"),
        InfoQuery,
    ),
    responses(
        (status = 200, description = "The dataset", body = DatasetView),
        (status = 404, description = "No such dataset", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "Nothing is published yet; X-Error-Message says how far it is",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(super) async fn get_dataset(
    _: CanRead,
    State(state): State<AppState>,
    Path((namespace, id)): Path<(String, String)>,
    QueryParams(query): QueryParams<InfoQuery>,
) -> Result<Json<DatasetView>, Problem> {
    view(&state, Dataset::parse(&namespace, &id)?, &Asked::Main, &query).await
}

/// A dataset at a revision.
#[utoipa::path(
    get, path = "/api/datasets/{ns}/{id}/revision/{rev}", tag = "hub",
    params(
        ("ns" = String, Path, description = "`jobs` or `corpora`"),
        ("id" = String, Path, description = "The job, or the mixed corpus"),
        ("rev" = String, Path, description = "`main`, or a commit of 40 hex digits"),
        InfoQuery,
    ),
    responses(
        (status = 200, description = "The dataset", body = DatasetView),
        (status = 404, description = "No such dataset or revision; X-Error-Code says which",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Nothing is published yet; X-Error-Message says how far it is",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(super) async fn get_dataset_revision(
    _: CanRead,
    State(state): State<AppState>,
    Path((namespace, id, revision)): Path<(String, String, String)>,
    QueryParams(query): QueryParams<InfoQuery>,
) -> Result<Json<DatasetView>, Problem> {
    view(&state, Dataset::parse(&namespace, &id)?, &Asked::parse(&revision)?, &query).await
}

async fn view(
    state: &AppState,
    dataset: Dataset,
    asked: &Asked,
    query: &InfoQuery,
) -> Result<Json<DatasetView>, Problem> {
    let revision = source::revision(state, dataset, asked).await?;
    let files = source::files(state, dataset, &revision.commit).await?;
    let with_blobs = is_true(query.blobs.as_deref());
    let tags = || {
        let mut tags = vec!["hornbook"];
        if revision.partial {
            tags.push("partial");
        }
        tags
    };
    let id = dataset.to_string();
    Ok(Json(DatasetView {
        author: id.split('/').next().unwrap_or_default().to_owned(),
        id,
        sha: revision.commit.clone(),
        last_modified: timestamp(revision.published_at),
        private: false,
        gated: false,
        disabled: false,
        downloads: 0,
        likes: 0,
        tags: tags(),
        siblings: files.iter().map(|stored| sibling(stored, with_blobs)).collect(),
        card_data: CardView { pretty_name: source::title(state, dataset).await?, tags: tags() },
    }))
}

fn sibling(stored: &StoredFile, with_blobs: bool) -> SiblingView {
    let rfilename = stored.file.path.clone();
    if !with_blobs {
        return SiblingView { rfilename, size: None, blob_id: None, lfs: None };
    }
    let entry = Entry::file(stored);
    SiblingView {
        rfilename,
        size: Some(stored.file.bytes),
        lfs: entry.lfs.map(|lfs| SiblingLfs {
            sha256: lfs.oid,
            size: lfs.size,
            pointer_size: lfs.pointer_size,
        }),
        blob_id: Some(entry.oid),
    }
}
