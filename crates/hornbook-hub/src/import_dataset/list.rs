//! The Hub's listing of a dataset: which commit a revision is, and what lies in it.

use std::collections::BTreeMap;
use std::path::Path;

use hornbook_inference::http::header::LINK;
use hornbook_inference::http::{Client, Response, Url, read_capped};
use serde_json::Value;

use super::choose::choose;
use super::{DATASET_FILES, DatasetFile, DatasetFiles, DatasetSpec, IMPORT_BYTES, IMPORT_FILES};
use crate::PullError;
use crate::resolve::fetch;
use crate::spec::parts;

/// Branch on which the Hub keeps every dataset that it could read as Parquet.
const CONVERTED: &str = "refs/convert/parquet";
/// Largest page of a listing.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Most pages of a listing.
const PAGES: usize = 1_000;

/// Finds the commit that the revision is now, and the Parquet files that are the split.
///
/// Where the revision has none, those are looked for that the Hub itself made of the dataset.
///
/// # Errors
/// `NotFound` where neither has such a split; what else there is, is said with it.
pub async fn list_dataset(client: &Client, spec: &DatasetSpec) -> Result<DatasetFiles, PullError> {
    let own = at_revision(client, spec, &spec.revision).await?;
    if !own.files.is_empty() {
        return check(own);
    }
    let converted = match at_revision(client, spec, CONVERTED).await {
        Ok(converted) if converted.files.is_empty() => None,
        Ok(converted) => Some(converted),
        Err(PullError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    match converted {
        Some(converted) => check(converted),
        None => Err(PullError::NotFound {
            file: spec.repo.clone(),
            detail: format!(
                "no Parquet file of configuration '{}', split '{}'; a configuration is the directory of its files",
                spec.config, spec.split
            ),
        }),
    }
}

async fn at_revision(
    client: &Client,
    spec: &DatasetSpec,
    revision: &str,
) -> Result<DatasetFiles, PullError> {
    let about = json(client, spec, &api_url(spec, "revision", revision)?).await?.0;
    let commit = about["sha"].as_str().filter(|sha| is_commit(sha));
    let commit = commit.ok_or_else(|| unexpected("the listing names no commit"))?.to_owned();
    let mut next = Some(api_url(spec, "tree", &commit)?);
    if let Some(url) = &mut next {
        url.query_pairs_mut().append_pair("recursive", "true");
    }
    let mut sizes = BTreeMap::new();
    for _ in 0..PAGES {
        let Some(url) = next.take() else { break };
        let (page, link) = json(client, spec, &url).await?;
        let entries = page.as_array().ok_or_else(|| unexpected("the listing is no list"))?;
        for entry in entries {
            if let (Some("file"), Some(path), Some(bytes)) =
                (entry["type"].as_str(), entry["path"].as_str(), entry["size"].as_u64())
            {
                sizes.insert(path.to_owned(), bytes);
            }
        }
        if sizes.len() > DATASET_FILES {
            return Err(unexpected(&format!("more than {DATASET_FILES} files")));
        }
        next = link;
    }
    if next.is_some() {
        return Err(unexpected(&format!("more than {PAGES} pages of files")));
    }
    let paths: Vec<&str> = sizes.keys().map(String::as_str).collect();
    let files = choose(&paths, &spec.config, &spec.split)
        .into_iter()
        .map(|path| DatasetFile { path: path.to_owned(), bytes: sizes[path] })
        .collect();
    Ok(DatasetFiles { commit, files })
}

/// Refuses what is more than may be imported, and paths that lead elsewhere.
fn check(found: DatasetFiles) -> Result<DatasetFiles, PullError> {
    let bytes = found.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    if found.files.len() > IMPORT_FILES || bytes > IMPORT_BYTES {
        let message = format!(
            "the split has {} files and {bytes} bytes; at most {IMPORT_FILES} and {IMPORT_BYTES} are imported",
            found.files.len()
        );
        return Err(PullError::BadSpec(message));
    }
    for file in &found.files {
        parts("file", &file.path)?;
    }
    Ok(found)
}

fn api_url(spec: &DatasetSpec, what: &str, revision: &str) -> Result<Url, PullError> {
    // The endpoint is checked where files are named, too.
    let base = spec.file(revision, "x", Path::new("")).url()?;
    let mut url = base;
    let endpoint = Url::parse(&spec.endpoint)
        .map_err(|fault| PullError::BadSpec(format!("endpoint: {fault}")))?;
    url.set_path(endpoint.path());
    url.path_segments_mut()
        .map_err(|()| PullError::BadSpec("endpoint: must be an http or https URL".into()))?
        .pop_if_empty()
        .extend(["api", "datasets"])
        .extend(parts("repo", &spec.repo)?)
        .push(what)
        .push(&parts("revision", revision)?.join("/"));
    Ok(url)
}

/// One answer, and the page after it if it names one on the same host.
async fn json(
    client: &Client,
    spec: &DatasetSpec,
    url: &Url,
) -> Result<(Value, Option<Url>), PullError> {
    let pull = spec.file(&spec.revision, "", Path::new(""));
    let response = fetch(client, &pull, url).await?;
    let next = next_page(url, &response);
    let body = read_capped(response, PAGE_BYTES).await?;
    let value = serde_json::from_slice(&body)
        .map_err(|fault| unexpected(&format!("the listing is not JSON: {fault}")))?;
    Ok((value, next))
}

/// Where `Link: <URL>; rel="next"` leads, which must not be another host.
fn next_page(at: &Url, response: &Response) -> Option<Url> {
    let header = response.headers().get(LINK)?.to_str().ok()?;
    let link = header.split(',').find(|link| link.contains("rel=\"next\""))?;
    let target = link.trim().strip_prefix('<')?.split('>').next()?;
    let next = at.join(target).ok()?;
    (next.origin() == at.origin()).then_some(next)
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unexpected(message: &str) -> PullError {
    PullError::Unexpected(message.to_owned())
}
