//! One document: its text, its prompt, and where it comes from.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::documents::StoredDocument;
use hornbook_db::{documents, jobs};
use hornbook_types::Verdict;
use serde_json::Value;
use uuid::Uuid;

use super::chrome::Chrome;
use super::view::{DocumentPage, Fact, Score};
use super::{show, text};
use crate::extract::job_id;
use crate::{AppState, CanRead, Problem};

/// Characters of a text, a prompt or a seed that a page shows.
const SHOWN_CHARS: usize = 120_000;

/// `GET /jobs/{id}/documents/{seq}`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path((id, seq)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let seq = seq.parse().map_err(|_| Problem::not_found("this document"))?;
    let job = jobs::get(&state.db, id).await?;
    let stored = documents::get(&state.db, id, seq).await?;
    let next = documents::page(&state.db, id, &Default::default(), Some(seq), 1).await?;
    let link = |seq: u64| format!("/jobs/{id}/documents/{seq}");
    let provenance = provenance(&stored);
    let document = stored.document;
    let view = DocumentPage {
        id: id.to_string(),
        name: text::one_line(&job.name),
        seq,
        verdict: document.verdict.into(),
        meaning: document.reason.as_deref().map(text::meaning).unwrap_or_default().to_owned(),
        reason: document.reason,
        error: document.error.filter(|_| document.verdict == Verdict::Failed),
        audience: document.audience.slug.to_string(),
        format: document.format.to_string(),
        cut: is_long(&document.text) || is_long(&document.prompt),
        raw: raw(id, seq),
        text: text::excerpt(&document.text, SHOWN_CHARS),
        prompt: text::excerpt(&document.prompt, SHOWN_CHARS),
        provenance,
        seed: text::excerpt(
            &serde_json::to_string_pretty(&document.seed_data).unwrap_or_default(),
            SHOWN_CHARS,
        ),
        scores: document.scores.iter().map(|(name, value)| score(name, value)).collect(),
        // Documents arrive in no order: the one before may not be there yet, and then is skipped.
        previous: before(&state, id, seq).await?.map(link),
        next: next.first().map(|next| link(next.document.seq)),
    };
    show("document.html", &Chrome::new(&caller, "jobs"), &view)
}

fn is_long(words: &str) -> bool {
    words.chars().nth(SHOWN_CHARS).is_some()
}

fn raw(id: Uuid, seq: u64) -> String {
    format!("/v1/jobs/{id}/documents/{seq}")
}

async fn before(state: &AppState, id: Uuid, seq: u64) -> Result<Option<u64>, Problem> {
    let Some(wanted) = seq.checked_sub(1) else { return Ok(None) };
    let from = wanted.checked_sub(1);
    let found = documents::page(&state.db, id, &Default::default(), from, 1).await?;
    Ok(found.first().map(|stored| stored.document.seq).filter(|found| *found == wanted))
}

fn score(name: &str, value: &Value) -> Score {
    let value = match value {
        Value::Number(number) if number.is_f64() => {
            format!("{:.3}", number.as_f64().unwrap_or_default())
        }
        Value::String(words) => words.clone(),
        other => other.to_string(),
    };
    Score { label: text::label(&text::one_line(name)), value: text::one_line(&value) }
}

fn provenance(stored: &StoredDocument) -> Vec<Fact> {
    let document = &stored.document;
    let (template, audience) = (&document.template, &document.audience);
    let tokens = text::count(document.usage.completion_tokens);
    let mut facts = vec![
        Fact::new("Template", template.to_string()).link(format!(
            "/templates/{}?version={}&audience={}",
            template.slug, template.version, audience.slug
        )),
        Fact::new("Audience", audience.to_string())
            .link(format!("/audiences/{}?version={}", audience.slug, audience.version)),
        Fact::new("Seed number", text::count(document.seed_seq)),
        Fact::new("Endpoint", document.endpoint.to_string()),
        Fact::new("Model", text::one_line(&document.model)),
        Fact::new(
            "Tokens",
            format!("{tokens} written, {} of prompt", text::count(document.usage.prompt_tokens)),
        ),
        Fact::new("Stopped because", document.finish_reason.as_str()),
        Fact::new("Sampling seed", document.sampling_seed.to_string()),
        Fact::new("Time to answer", format!("{:.1} s", f64::from(document.latency_ms) / 1000.0)),
        Fact::new("Stored", text::date(stored.created_at)),
    ];
    facts.retain(|fact| !fact.is_empty());
    facts
}
