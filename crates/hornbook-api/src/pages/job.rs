//! One job: how it goes, what came of it, what may be done with it.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::jobs::{self, Job};
use hornbook_db::{DbError, corpora, documents, endpoints, events};
use hornbook_types::{
    Cell, EndpointState, EventKind, JobAction, JobEvent, JobState, PinnedJobSpec, Scope, Verdict,
};
use uuid::Uuid;

use super::chrome::Chrome;
use super::view::{
    ActionButton, Bar, CorpusFacts, CountsText, ErrorRow, EventRow, Fact, FigureText, Grid,
    JobPage, ReasonRow, RecipeRow, Sample, pull_lines,
};
use super::{job_cost, show, text};
use crate::extract::{encode_cursor, job_id};
use crate::v1::jobs::JobView;
use crate::{AppState, Caller, CanRead, Problem};

/// Kinds of errors on the page.
const ERRORS_SHOWN: u32 = 10;
/// Sample documents on the page.
const SAMPLES: usize = 6;
/// Characters of a sample's text and prompt.
const SAMPLE_CHARS: usize = 900;
/// Events read from the beginning of a job, where its first states are.
const FIRST_EVENTS: u32 = 20;
/// Events read from the end of a job.
const LAST_EVENTS: u32 = 200;

/// `GET /jobs/{id}`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let db = &state.db;
    let id = job_id(&id)?;
    let job = jobs::get(db, id).await?;
    let spec = jobs::spec(db, id).await?;
    let cells = jobs::cells(db, id).await?;
    let order: Vec<String> =
        super::audiences::ladder(&state).await?.all().into_iter().map(|step| step.slug).collect();
    let corpus = match job.corpus {
        Some(_) => Some(corpora::by_job(db, id).await?),
        None => None,
    };
    let open = caller == Caller::Local;
    let view = JobPage {
        id: id.to_string(),
        name: text::tame(&job.name),
        ended: job.state.has_ended() && !job.assembly_pending,
        stream: format!("/v1/jobs/{id}/events?cursor={}", encode_cursor(&job.revision)),
        state: job.state.into(),
        message: message(&state, &job).await?,
        bar: Bar::from(&job.counts),
        counts: CountsText::from(&job.counts),
        figures: figures(&state, &job).await?,
        actions: actions(&caller, job.state),
        pull: corpus
            .as_ref()
            .map(|corpus| {
                pull_lines(&state.config.base_url, open, id, &corpus.manifest.content.files)
            })
            .unwrap_or_default(),
        corpus: corpus.map(|corpus| CorpusFacts {
            rows: text::count(corpus.manifest.content.rows),
            tokens: text::count(corpus.manifest.content.tokens),
            partial: corpus.partial,
        }),
        errors: errors(&state, id).await?,
        reasons: reasons(id, &cells),
        samples: samples(&state, id, &cells, &order).await?,
        grid: Grid::new(&cells, &order),
        recipe: recipe(&spec),
        settings: settings(&spec).into_iter().chain(job_cost::facts(&job)).collect(),
        spent: job_cost::by_endpoint(&state, id).await?,
        events: what_happened(&state, &job).await?,
    };
    show("job.html", &Chrome::new(&caller, "jobs"), &view)
}

/// Why it failed, or why it does not begin.
async fn message(state: &AppState, job: &Job) -> Result<Option<String>, Problem> {
    if let Some(error) = &job.error {
        return Ok(Some(format!("{}: {}", text::label(&error.code), error.message)));
    }
    if !matches!(job.state, JobState::Queued | JobState::Running) {
        return Ok(None);
    }
    let mut troubles = Vec::new();
    for name in &job.endpoints {
        let endpoint = match super::slug("endpoint", name) {
            Ok(name) => match endpoints::get(&state.db, &name).await {
                Ok(endpoint) => Some(endpoint),
                Err(DbError::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            },
            Err(_) => None,
        };
        match endpoint {
            Some(endpoint) if endpoint.state == EndpointState::Ready => return Ok(None),
            Some(endpoint) => troubles.push(format!(
                "{name} is {}{}",
                endpoint.state.as_str(),
                endpoint.message.map(|why| format!(" ({why})")).unwrap_or_default()
            )),
            None => troubles.push(format!("{name} does not exist any more")),
        }
    }
    Ok(Some(format!("It waits for an endpoint: {}.", troubles.join("; "))))
}

async fn figures(state: &AppState, job: &Job) -> Result<Vec<FigureText>, Problem> {
    let pace = jobs::pace(&state.db, job.id).await?;
    let view = JobView::brief(job.clone(), pace, state.clock.now());
    let figure = |label, value: String, unit| FigureText { label, value, unit };
    let tokens = text::count(job.usage.completion_tokens);
    let mut figures = vec![figure("Tokens written", tokens, None)];
    if let Some(pace) = view.throughput {
        let pace = pace.tokens_per_second;
        let words =
            if pace < 100.0 { format!("{pace:.1}") } else { text::count(pace.round() as u64) };
        figures.push(figure("Pace", words, Some("tokens/s")));
    }
    if let Some(seconds) = view.eta_seconds {
        figures.push(figure("Time left, about", text::duration(seconds), None));
    }
    if let Some(started) = job.started_at {
        let until = job.finished_at.unwrap_or_else(|| state.clock.now());
        let seconds = (until - started).whole_seconds().max(0).unsigned_abs();
        let label = if job.finished_at.is_some() { "Took" } else { "Since the first prompt" };
        figures.push(figure(label, text::duration(seconds), None));
    }
    figures.extend(job_cost::figures(job));
    Ok(figures)
}

fn actions(caller: &Caller, state: JobState) -> Vec<ActionButton> {
    if !caller.may(Scope::Write) {
        return Vec::new();
    }
    let button = |action: &JobAction| {
        let (label, danger) = match action {
            JobAction::Pause => ("Pause", false),
            JobAction::Resume => ("Resume", false),
            JobAction::Cancel => ("Cancel job", true),
            JobAction::Retry => ("Retry what failed", false),
            // Nothing brings a deleted job back, so that is left to REST, where nobody slips.
            JobAction::Delete => return None,
        };
        Some(ActionButton { verb: action.as_str(), label, danger })
    };
    state.allowed().iter().filter_map(button).collect()
}

async fn errors(state: &AppState, id: Uuid) -> Result<Vec<ErrorRow>, Problem> {
    let errors = jobs::errors(&state.db, id, ERRORS_SHOWN).await?;
    let row = |error: hornbook_types::ErrorCount| ErrorRow {
        code: error.code,
        message: text::excerpt(&error.message, SAMPLE_CHARS),
        count: text::count(error.count),
    };
    Ok(errors.into_iter().map(row).collect())
}

/// Counts by reason, the commonest first.
fn reasons(id: Uuid, cells: &[Cell]) -> Vec<ReasonRow> {
    let mut counts: BTreeMap<(&str, &str), (Verdict, u64)> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.verdict != Verdict::Accepted) {
        let key = (cell.verdict.as_str(), cell.reason.as_str());
        counts.entry(key).or_insert((cell.verdict, 0)).1 += cell.count;
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|(_, (_, count))| std::cmp::Reverse(*count));
    rows.into_iter()
        .map(|((_, reason), (verdict, count))| ReasonRow {
            meaning: text::meaning(reason).to_owned(),
            href: format!("/jobs/{id}/documents?reason={}", text::query(reason)),
            reason: reason.to_owned(),
            verdict: verdict.into(),
            count: text::count(count),
        })
        .collect()
}

/// The first accepted document of as many audiences as there is room for.
async fn samples(
    state: &AppState,
    id: Uuid,
    cells: &[Cell],
    order: &[String],
) -> Result<Vec<Sample>, Problem> {
    let mut audiences: Vec<_> = cells
        .iter()
        .filter(|cell| cell.verdict == Verdict::Accepted)
        .map(|cell| &cell.audience)
        .collect();
    audiences.sort_by_key(|slug| order.iter().position(|name| name == slug.as_str()));
    audiences.dedup();
    let mut filters: Vec<documents::Filter> = spread(&audiences, SAMPLES)
        .into_iter()
        .map(|audience| documents::Filter {
            verdict: Some(Verdict::Accepted),
            audience: Some(audience.clone()),
            ..Default::default()
        })
        .collect();
    if filters.is_empty() {
        filters.push(documents::Filter::default());
    }
    let mut samples = Vec::with_capacity(filters.len());
    for filter in &filters {
        let found = documents::page(&state.db, id, filter, None, 1).await?;
        samples.extend(found.into_iter().map(|stored| {
            let document = stored.document;
            Sample {
                seq: document.seq,
                href: format!("/jobs/{id}/documents/{}", document.seq),
                audience: document.audience.slug.to_string(),
                format: document.format.to_string(),
                verdict: document.verdict.into(),
                text: text::excerpt(&document.text, SAMPLE_CHARS),
                prompt: text::excerpt(&document.prompt, SAMPLE_CHARS),
            }
        }));
    }
    Ok(samples)
}

/// At most `most` of `items`, from the first to the last, evenly.
fn spread<T: Copy>(items: &[T], most: usize) -> Vec<T> {
    if items.len() <= most {
        return items.to_vec();
    }
    (0..most).map(|n| items[n * (items.len() - 1) / (most - 1).max(1)]).collect()
}

fn recipe(spec: &PinnedJobSpec) -> Vec<RecipeRow> {
    spec.lines
        .iter()
        .map(|line| RecipeRow {
            template: line.template.to_string(),
            template_href: format!(
                "/templates/{}?version={}&audience={}",
                line.template.slug, line.template.version, line.audience.slug
            ),
            audience: line.audience.to_string(),
            audience_href: format!(
                "/audiences/{}?version={}",
                line.audience.slug, line.audience.version
            ),
            prompts: match line.quota {
                Some(quota) => format!(
                    "{} for {} accepted",
                    text::count(line.prompts),
                    text::count(quota.accepted)
                ),
                None => text::count(line.prompts),
            },
        })
        .collect()
}

fn settings(spec: &PinnedJobSpec) -> Vec<Fact> {
    let sampling = &spec.sampling;
    let endpoints: Vec<&str> = spec.endpoints.iter().map(|name| name.as_str()).collect();
    let set = &spec.seed_set;
    let usual = vec![
        Fact::new("Seeds", set.to_string())
            .link(format!("/seed-sets/{}?version={}", set.slug, set.version)),
        Fact::new("Endpoints", endpoints.join(", ")),
        Fact::new("Temperature", sampling.temperature.to_string()),
        Fact::new("Top p", sampling.top_p.to_string()),
        Fact::new("Top k", sampling.top_k.to_string()),
        Fact::new("Repetition penalty", sampling.repetition_penalty.to_string()),
        Fact::new("Most tokens", text::count(u64::from(sampling.max_tokens))),
        Fact::new("Job seed", sampling.seed.to_string()),
    ];
    let unusual = sampling.unusual();
    let unusual = unusual.into_iter().map(|(name, value)| Fact::new(name, value));
    usual.into_iter().chain(unusual).collect()
}

/// States and warnings, newest first; progress shows in the bar.
async fn what_happened(state: &AppState, job: &Job) -> Result<Vec<EventRow>, Problem> {
    let late = job.revision.saturating_sub(i64::from(LAST_EVENTS)).max(0);
    let mut found: BTreeMap<i64, JobEvent> = BTreeMap::new();
    for (after, limit) in [(0, FIRST_EVENTS), (late, LAST_EVENTS)] {
        let page = events::list(&state.db, job.id, after, limit).await?;
        found.extend(page.into_iter().map(|event| (event.seq, event)));
    }
    let rows = found.into_values().rev().filter_map(|event| {
        let word = |name: &str| event.data.get(name).and_then(|value| value.as_str());
        let mut words = match event.kind {
            EventKind::Progress => return None,
            EventKind::State => text::label(word("to").unwrap_or_default()),
            EventKind::Warning => text::label(word("code").unwrap_or("warning")),
        };
        if let Some(message) = word("message").filter(|message| !message.is_empty()) {
            words = format!("{words}: {message}");
        }
        Some(EventRow { at: event.at.into(), text: text::excerpt(&words, SAMPLE_CHARS) })
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_from_first_to_last() {
        assert_eq!(spread(&[1, 2], 6), [1, 2]);
        assert_eq!(spread(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 3), [1, 5, 9]);
        assert!(spread::<u8>(&[], 3).is_empty());
    }
}
