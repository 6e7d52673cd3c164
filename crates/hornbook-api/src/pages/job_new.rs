//! The form that submits a job.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::{endpoints, seed_sets, templates};
use hornbook_types::LOCAL_ENDPOINT;

use super::chrome::Chrome;
use super::view::{Choice, JobForm, NewJobPage, audience_choices};
use super::{CATALOG_ROWS, audiences, show};
use crate::{AppState, Caller, CanWrite, Problem};

/// What someone filled in, as sent: names with values, names more than once.
pub(super) type Fields = Vec<(String, String)>;

/// `GET /jobs/new`.
pub(super) async fn page(
    CanWrite(caller): CanWrite,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let first = [
        ("template", "textbook-chapter"),
        ("audience", "grade-school"),
        ("audience", "middle-school"),
        ("audience", "high-school"),
        ("endpoint", LOCAL_ENDPOINT),
        ("seeds", "starter-curriculum"),
        ("documents", "24"),
        ("max_tokens", "200"),
        ("truncated", "trim"),
    ];
    let first = first.map(|(name, value)| (name.to_owned(), value.to_owned()));
    form(&state, &caller, &first, Vec::new()).await
}

/// The form with `filled` in it and `faults` above it.
pub(super) async fn form(
    state: &AppState,
    caller: &Caller,
    filled: &[(String, String)],
    faults: Vec<String>,
) -> Result<Response, Problem> {
    let all = |name: &str| -> Vec<String> {
        filled.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    };
    let one = |name: &str| all(name).pop().unwrap_or_default();
    let choices = |names: Vec<String>, chosen: Vec<String>| -> Vec<Choice> {
        let choice = |value: String| Choice {
            selected: chosen.contains(&value),
            label: value.clone(),
            value,
        };
        names.into_iter().map(choice).collect()
    };
    let db = &state.db;
    let sets = seed_sets::list(db, None, CATALOG_ROWS).await?;
    let templates = templates::list(db, &Default::default(), None, CATALOG_ROWS).await?;
    let endpoints = endpoints::list(db, None, CATALOG_ROWS).await?;
    let ladder = audiences::ladder(state).await?;
    let name = |name: &dyn std::fmt::Display| name.to_string();
    let (truncated, counted) = (one("truncated"), one("counted"));
    let view = NewJobPage {
        ready: !sets.is_empty() && !templates.is_empty() && ladder.len() > 0,
        faults,
        form: JobForm {
            name: one("name"),
            seed_sets: choices(
                sets.iter().map(|set| name(&set.pinned.slug)).collect(),
                all("seeds"),
            ),
            templates: choices(
                templates.iter().map(|template| name(&template.pinned.slug)).collect(),
                all("template"),
            ),
            audiences: audience_choices(&ladder, &all("audience")),
            endpoints: choices(
                endpoints.iter().map(|endpoint| name(&endpoint.name)).collect(),
                all("endpoint"),
            ),
            documents: one("documents"),
            max_tokens: one("max_tokens"),
            truncated: vec![
                Choice::labelled("trim", "keep up to the last sentence", Some(&truncated)),
                Choice::labelled("reject", "reject", Some(&truncated)),
            ],
            paired: one("paired") == "true",
            counted: vec![
                Choice::labelled("prompts", "prompts", Some(&counted)),
                Choice::labelled("accepted", "documents that pass every gate", Some(&counted)),
            ],
            budget_tokens: one("budget_tokens"),
            budget_usd: one("budget_usd"),
        },
    };
    show("job_new.html", &Chrome::new(caller, "jobs"), &view)
}
