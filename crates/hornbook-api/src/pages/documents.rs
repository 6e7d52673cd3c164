//! A job's documents, narrowed by verdict, reason, audience and format.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::documents::{self, StoredDocument};
use hornbook_db::jobs;
use hornbook_types::{PinnedJobSpec, Slug, Verdict};
use serde::Deserialize;
use uuid::Uuid;

use super::chrome::Chrome;
use super::view::{Choice, DocumentRow, DocumentsPage, Filter};
use super::{show, slug, text};
use crate::extract::{QueryParams, job_id};
use crate::limits::DOCUMENTS_AT_ONCE;
use crate::{AppState, CanRead, Problem};

/// Documents on one page.
const ROWS: usize = 48;
/// Characters of a document in the list.
const OPENING_CHARS: usize = 90;

/// What to list; an empty value filters nothing, as forms send it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Narrow {
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    audience: String,
    #[serde(default)]
    format: String,
    after: Option<u64>,
}

/// `GET /jobs/{id}/documents`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path(id): Path<String>,
    QueryParams(narrow): QueryParams<Narrow>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let job = jobs::get(&state.db, id).await?;
    let spec = jobs::spec(&state.db, id).await?;
    let (rows, more) = read(&state, id, &filter(&narrow)?, narrow.after).await?;
    let here = format!(
        "/jobs/{id}/documents?verdict={}&reason={}&audience={}&format={}",
        text::query(&narrow.verdict),
        text::query(&narrow.reason),
        text::query(&narrow.audience),
        text::query(&narrow.format)
    );
    let view = DocumentsPage {
        id: id.to_string(),
        name: text::one_line(&job.name),
        next: more.then(|| rows.last().map(|last| format!("{here}&after={}", last.seq))).flatten(),
        first: narrow.after.map(|_| here),
        filter: choices(&spec, &narrow),
        documents: rows,
    };
    show("documents.html", &Chrome::new(&caller, "jobs"), &view)
}

fn filter(narrow: &Narrow) -> Result<documents::Filter, Problem> {
    let name = |kind: &str, value: &str| -> Result<Option<Slug>, Problem> {
        if value.is_empty() { Ok(None) } else { slug(kind, value).map(Some) }
    };
    let verdict = match narrow.verdict.as_str() {
        "" => None,
        word => Some(Verdict::parse(word).ok_or_else(|| Problem::query("no such verdict"))?),
    };
    Ok(documents::Filter {
        verdict,
        reason: (!narrow.reason.is_empty()).then(|| narrow.reason.clone()),
        audience: name("audience", &narrow.audience)?,
        format: name("format", &narrow.format)?,
    })
}

/// One page, and whether more follow; read a few at a time, because a document may be large.
async fn read(
    state: &AppState,
    id: Uuid,
    filter: &documents::Filter,
    mut after: Option<u64>,
) -> Result<(Vec<DocumentRow>, bool), Problem> {
    let mut rows = Vec::new();
    loop {
        let group = documents::page(&state.db, id, filter, after, DOCUMENTS_AT_ONCE).await?;
        let last_group = group.len() < DOCUMENTS_AT_ONCE as usize;
        for stored in &group {
            if rows.len() == ROWS {
                return Ok((rows, true));
            }
            after = Some(stored.document.seq);
            rows.push(row(id, stored));
        }
        if last_group {
            return Ok((rows, false));
        }
    }
}

fn row(id: Uuid, stored: &StoredDocument) -> DocumentRow {
    let document = &stored.document;
    let opening = text::excerpt(&text::one_line(&document.text), OPENING_CHARS);
    DocumentRow {
        seq: document.seq,
        href: format!("/jobs/{id}/documents/{}", document.seq),
        opening: if opening.is_empty() { "(no text)".to_owned() } else { opening },
        audience: document.audience.slug.to_string(),
        format: document.format.to_string(),
        verdict: document.verdict.into(),
        reason: document.reason.clone(),
        tokens: text::count(document.usage.completion_tokens),
    }
}

fn choices(spec: &PinnedJobSpec, narrow: &Narrow) -> Filter {
    let pick = |names: BTreeSet<&str>, chosen: &str| -> Vec<Choice> {
        let all = Choice::labelled("", "all", Some(chosen));
        let named = names.into_iter().map(|name| Choice::named(name, Some(chosen)));
        std::iter::once(all).chain(named).collect()
    };
    let lines = &spec.lines;
    Filter {
        verdicts: pick(["accepted", "rejected", "failed"].into(), &narrow.verdict),
        audiences: pick(
            lines.iter().map(|line| line.audience.slug.as_str()).collect(),
            &narrow.audience,
        ),
        formats: pick(
            lines.iter().map(|line| line.template_spec.format.as_str()).collect(),
            &narrow.format,
        ),
        reason: (!narrow.reason.is_empty()).then(|| narrow.reason.clone()),
    }
}
