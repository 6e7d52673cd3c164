//! Trying a template before it is stored: parsed, and rendered for every audience.

use std::collections::BTreeMap;

use hornbook_db::audiences::{self, Audience};
use hornbook_prompt::{CompiledTemplate, JobContext, RenderContext, RenderError, SeedFields};
use hornbook_types::{FieldError, JobSeed, Slug};
use serde_json::{Map, Value, json};

use super::Warning;
use crate::limits::PAGE_ITEMS_MAX;
use crate::{AppState, Problem};

/// Most sample seeds that are tried on one template.
const SAMPLES: usize = 300;

/// What is known of a template that stood its trial.
pub(super) struct Tried {
    pub(super) fields: SeedFields,
    /// Said when no sample seed suited the template, so that only a real seed can tell.
    pub(super) untried: Option<Warning>,
}

/// Parses a body and renders it for every audience with a sample seed.
pub(super) async fn try_template(state: &AppState, body: &str) -> Result<Tried, Problem> {
    let mut audiences: Vec<Audience> = Vec::new();
    loop {
        let after: Option<Slug> = audiences.last().map(|last| last.pinned.slug.clone());
        let page = audiences::list(&state.db, after.as_ref(), PAGE_ITEMS_MAX).await?;
        let last_page = page.len() < PAGE_ITEMS_MAX as usize;
        audiences.extend(page);
        if last_page {
            break;
        }
    }
    let body = body.to_owned();
    state.render.run(move || try_all(&body, &audiences)).await?
}

fn try_all(body: &str, audiences: &[Audience]) -> Result<Tried, Problem> {
    let template = parse(body)?;
    let fields = template.fields().clone();
    let mut untried = None;
    if let Some(first) = audiences.first() {
        // Once with all that it can read and once with no more than it needs.
        let all: Vec<&String> = fields.required.iter().chain(&fields.optional).collect();
        for names in [all, fields.required.iter().collect()] {
            match suitable_seed(&template, &names, first) {
                Ok(seed) => {
                    for audience in audiences {
                        render(&template, &seed, audience)
                            .map_err(|error| render_fault(&error, Some(&audience.pinned.slug)))?;
                    }
                }
                Err(error) if error.message.ends_with("is not defined") || names.is_empty() => {
                    return Err(render_fault(&error, Some(&first.pinned.slug)));
                }
                Err(error) => {
                    untried = Some(Warning {
                        line: error.line.unwrap_or(1),
                        message: format!("no sample seed suits it, so it was not tried: {error}"),
                    });
                }
            }
        }
    }
    Ok(Tried { fields, untried })
}

/// Finds values for the seed fields with which the template renders.
///
/// What kind of value a field has, only its seeds know: `{% for x in seed.outline %}` wants a
/// list, `seed.n > 3` a number. So kinds are tried in turn, text first, up to a bound.
fn suitable_seed(
    template: &CompiledTemplate,
    names: &[&String],
    audience: &Audience,
) -> Result<Map<String, Value>, RenderError> {
    let kinds = [
        json!("sample"),
        json!(["one", "two"]),
        json!(3),
        json!([{"title": "sample", "text": "sample"}]),
        json!({"title": "sample", "text": "sample"}),
        json!(true),
    ];
    let mut choice = vec![0_usize; names.len()];
    let mut first_error = None;
    for _ in 0..SAMPLES {
        let seed: Map<String, Value> = names
            .iter()
            .zip(&choice)
            .map(|(name, &kind)| ((*name).clone(), kinds[kind].clone()))
            .collect();
        match render(template, &seed, audience) {
            Ok(_) => return Ok(seed),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
        // The next choice, counting up with the last field fastest.
        let Some(place) = choice.iter().rposition(|&kind| kind + 1 < kinds.len()) else { break };
        choice[place] += 1;
        choice[place + 1..].fill(0);
    }
    Err(first_error.unwrap_or(RenderError { line: None, message: "no sample".to_owned() }))
}

fn render(
    template: &CompiledTemplate,
    seed: &Map<String, Value>,
    audience: &Audience,
) -> Result<String, RenderError> {
    template.render(&RenderContext {
        audience: &audience.pinned.slug,
        audience_spec: &audience.spec,
        seed,
        job: JobContext { name: "sample", seed: JobSeed(0), seq: 0, metadata: &BTreeMap::new() },
    })
}

/// Parses a body; 422 with line and column when it is no template.
pub(super) fn parse(body: &str) -> Result<CompiledTemplate, Problem> {
    CompiledTemplate::parse(body).map_err(|error| {
        let mut problem = Problem::invalid(vec![FieldError::new("/body", error.to_string())]);
        problem.code = "invalid_template";
        problem.detail = format!("the body is not a template: {error}");
        problem.member("line", error.line).member("column", error.column)
    })
}

/// 422: the template parses, but does not render.
pub(super) fn render_fault(error: &RenderError, audience: Option<&Slug>) -> Problem {
    let place = audience.map(|slug| format!(" for audience '{slug}'")).unwrap_or_default();
    let mut problem = Problem::invalid(vec![FieldError::new("/body", error.to_string())]);
    problem.code = "render_failed";
    problem.detail = format!("the template does not render{place}: {error}");
    match error.line {
        // What a render fails on is an expression, and those are known by line alone.
        Some(line) => problem.member("line", line).member("column", 1),
        None => problem,
    }
}
