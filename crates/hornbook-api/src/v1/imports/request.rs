//! What is asked for that a worker has to fetch.

use std::path::PathBuf;

use hornbook_records::{BelowError, files_below};
use hornbook_types::limits::COLUMN_NAME_BYTES;
use hornbook_types::{FieldError, ImportOrigin, Invalid};
use serde::Deserialize;

use crate::{AppState, Problem};

/// Longest path, repository, configuration, split or revision.
const NAME_BYTES: usize = 512;

/// Where the documents are: `path`, or `hub` with what belongs to it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportRequest)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A file or directory below the operator's import root.
    path: Option<String>,
    /// A dataset of the Hub, `owner/name`.
    hub: Option<String>,
    /// Its configuration, by the directory that its files lie in; default: the dataset's own files.
    config: Option<String>,
    /// Its split; default `train`.
    split: Option<String>,
    /// Branch, tag or commit; default `main`.
    revision: Option<String>,
    /// Column that holds the documents; default `text`.
    column: Option<String>,
}

/// Checks a request; gives where the documents are and the column that it names.
pub(super) async fn wanted(
    state: &AppState,
    body: Wanted,
) -> Result<(ImportOrigin, Option<String>), Problem> {
    let mut faults = Vec::new();
    let fields = [
        ("config", &body.config),
        ("split", &body.split),
        ("revision", &body.revision),
        ("hub", &body.hub),
    ];
    for (name, value) in fields {
        match value {
            Some(value) if !is_plain(value) => {
                faults.push(FieldError::new(format!("/{name}"), "is not a plain name or path"));
            }
            Some(_) if body.path.is_some() && name != "hub" => {
                faults.push(FieldError::new(format!("/{name}"), "belongs to hub, not to path"));
            }
            _ => {}
        }
    }
    if let Some(column) = &body.column
        && (column.trim().is_empty() || column.chars().count() > COLUMN_NAME_BYTES)
    {
        let range = format!("needs 1 to {COLUMN_NAME_BYTES} characters");
        faults.push(FieldError::new("/column", range));
    }
    let origin = match (body.path, body.hub) {
        (Some(path), None) => {
            faults.extend(look(state.config.import_root.clone(), path.clone()).await?);
            ImportOrigin::Path { path }
        }
        (None, Some(hub)) => {
            if hub.split('/').count() != 2 {
                faults.push(FieldError::new("/hub", "is spelled owner/name"));
            }
            ImportOrigin::Hub {
                hub,
                config: body.config.unwrap_or("default".to_owned()),
                split: body.split.unwrap_or("train".to_owned()),
                revision: body.revision.unwrap_or("main".to_owned()),
                commit: None,
            }
        }
        _ => {
            faults.push(FieldError::new("", "name either path or hub"));
            ImportOrigin::Path { path: String::new() }
        }
    };
    Invalid::from_faults(faults)?;
    Ok((origin, body.column))
}

/// True for one or more names that lead nowhere else.
fn is_plain(path: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..");
    path.len() <= NAME_BYTES
        && path.split('/').all(part)
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
}

/// What is wrong with a path, if anything is.
async fn look(root: Option<PathBuf>, path: String) -> Result<Option<FieldError>, Problem> {
    let Some(root) = root else {
        let what = "the operator has not named a directory to import from (import_root)";
        return Ok(Some(FieldError::new("/path", what)));
    };
    if path.len() > NAME_BYTES {
        return Ok(Some(FieldError::new("/path", format!("needs 1 to {NAME_BYTES} bytes"))));
    }
    let found = tokio::task::spawn_blocking(move || files_below(&root, &path));
    match found.await.map_err(|panicked| Problem::internal(&panicked))? {
        Ok(_) => Ok(None),
        Err(BelowError::Io(place, error)) => {
            tracing::warn!(place, %error, "the import root cannot be read");
            Ok(Some(FieldError::new("/path", format!("'{place}' cannot be read"))))
        }
        Err(why) => Ok(Some(FieldError::new("/path", why.to_string()))),
    }
}
