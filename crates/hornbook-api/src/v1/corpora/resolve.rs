//! From the sources of a mixed corpus to what they name; every one that names nothing is told at once.

use std::collections::BTreeSet;

use hornbook_db::imports;
use hornbook_db::jobs::{self, Job};
use hornbook_types::{CorpusSpec, FieldError, ImportState, Invalid, Reference, Slug, source_name};
use http::StatusCode;
use serde_json::json;

use crate::v1::version::found;
use crate::{AppState, Problem};

/// Looks up every source, and gives those a name that have none: after what they are, told apart by numbers.
pub(super) async fn resolve(state: &AppState, spec: &mut CorpusSpec) -> Result<(), Problem> {
    let mut faults = Vec::new();
    let mut waiting = None;
    let mut taken: BTreeSet<String> =
        spec.sources.iter().filter_map(|source| source.name.clone()).collect();
    for (index, source) in spec.sources.iter_mut().enumerate() {
        let at = format!("/sources/{index}");
        let Some(id) = source.job else {
            let Some(name) = &source.import else { continue };
            if let Some(why) = unusable(state, name).await? {
                faults.push(FieldError::new(format!("{at}/import"), why));
            }
            if source.name.is_none() {
                source.name = Some(free_name(name.as_str(), &mut taken));
            }
            continue;
        };
        let pointer = format!("{at}/job");
        let Some(job) = found(jobs::get(&state.db, id).await)? else {
            faults.push(FieldError::new(pointer, format!("there is no job '{id}'")));
            continue;
        };
        if job.counts.accepted == 0 && job.state.has_ended() {
            let why = format!("has no accepted document, and it is {}", job.state.as_str());
            faults.push(FieldError::new(pointer, why));
            continue;
        }
        if job.counts.accepted == 0 && waiting.is_none() {
            waiting = Some(not_ready(&job, &pointer));
        }
        if source.name.is_none() {
            source.name = Some(free_name(&job.name, &mut taken));
        }
    }
    Invalid::from_faults(faults)?;
    waiting.map_or(Ok(()), Err)
}

/// What is the matter with an import, if a corpus cannot take it.
async fn unusable(state: &AppState, name: &Slug) -> Result<Option<String>, Problem> {
    let reference = Reference { slug: name.clone(), version: None };
    Ok(match found(imports::get(&state.db, &reference).await)? {
        None => Some(format!("there is no import '{name}'")),
        Some(import) if import.state != ImportState::Ready => {
            let why = import.error.map(|error| format!(": {error}")).unwrap_or_default();
            Some(format!("the import '{name}' is {}{why}", import.state.as_str()))
        }
        Some(import) if import.content.rows == 0 => Some("has no document".to_owned()),
        Some(_) => None,
    })
}

/// The first name after `title` that no other source has.
fn free_name(title: &str, taken: &mut BTreeSet<String>) -> String {
    let base = source_name(title);
    let mut name = base.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{base}-{number}");
    }
    name
}

/// 409 with how far the job is.
fn not_ready(job: &Job, pointer: &str) -> Problem {
    let (id, state, counts) = (job.id, job.state.as_str(), &job.counts);
    let detail = format!(
        "job {id} is {state} and has accepted no document yet; {} of {} prompts have ended",
        counts.ended(),
        counts.total
    );
    Problem::new(StatusCode::CONFLICT, "not_ready", detail)
        .member("pointer", pointer)
        .member("state", state)
        .member("counts", json!(counts))
}
