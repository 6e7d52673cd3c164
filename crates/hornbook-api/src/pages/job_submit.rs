//! Submits what the form says.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use hornbook_types::{Budget, FieldError, Invalid, JobSpec, RecipeLine, SeedSource, Truncated};
use http::StatusCode;

use super::errors::sentences;
use super::job_new::{Fields, form};
use crate::{AppState, CanWrite, Problem};

/// `POST /jobs`: to the new job's page, or back to the form with what is wrong.
pub(super) async fn submit(
    CanWrite(caller): CanWrite,
    State(state): State<AppState>,
    fields: Result<Form<Fields>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(fields) = fields.map_err(|rejection| {
        Problem::new(rejection.status(), "invalid_form", rejection.body_text())
    })?;
    let submitted = match spec(&fields) {
        Ok(spec) => crate::v1::jobs::submit(&state, &caller, spec).await,
        Err(invalid) => Err(invalid.into()),
    };
    match submitted {
        Ok(id) => Ok(Redirect::to(&format!("/jobs/{id}")).into_response()),
        Err(problem) if problem.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let page = form(&state, &caller, &fields, sentences(problem)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// The job that these fields ask for: every template for every audience.
fn spec(fields: &[(String, String)]) -> Result<JobSpec, Invalid> {
    let mut faults = Vec::new();
    let all = |name: &'static str| {
        fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    };
    let mut named = |name: &'static str, what: &str| {
        let values: Vec<&str> = all(name).collect();
        if values.is_empty() {
            faults.push(FieldError::new(format!("/{name}"), format!("choose {what}")));
        }
        values
    };
    let templates = named("template", "at least one template");
    let audiences = named("audience", "at least one audience");
    let endpoints = named("endpoint", "at least one endpoint");
    let seeds = named("seeds", "a seed set");
    let mut recipe = Vec::new();
    for template in &templates {
        for audience in &audiences {
            match (template.parse(), audience.parse()) {
                (Ok(template), Ok(audience)) => {
                    recipe.push(RecipeLine { template, audience, share: None });
                }
                _ => faults.push(FieldError::new("/template", "is not the name of a template")),
            }
        }
    }
    let mut number = |name: &'static str| -> u64 {
        let number = all(name).next().and_then(|value| value.parse().ok());
        if number.is_none() {
            faults.push(FieldError::new(format!("/{name}"), "needs a whole number"));
        }
        number.unwrap_or_default()
    };
    let (documents, max_tokens) = (number("documents"), number("max_tokens"));
    let is_quota = all("counted").next() == Some("accepted");
    let budget = Budget {
        tokens: bound(all("budget_tokens").next(), "/budget/tokens", &mut faults),
        usd: bound(all("budget_usd").next(), "/budget/usd", &mut faults),
        ..Budget::default()
    };
    let seeds = seeds.first().and_then(|name| name.parse().ok());
    let endpoints = endpoints.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>();
    let (Some(seeds), Ok(endpoints)) = (seeds, endpoints) else {
        faults.push(FieldError::new("/seeds", "is not the name of a seed set"));
        return Err(Invalid(faults));
    };
    Invalid::from_faults(faults)?;
    let mut spec = JobSpec {
        name: all("name").next().unwrap_or_default().to_owned(),
        seeds: SeedSource::SeedSet(seeds),
        recipe,
        documents: (!is_quota).then_some(documents),
        accepted: is_quota.then_some(documents),
        max_candidates: None,
        paired: all("paired").next() == Some("true"),
        sampling: Default::default(),
        endpoints,
        budget,
        gates: Default::default(),
        assembly: Default::default(),
        priority: 0,
        weight: 1.0,
        metadata: Default::default(),
    };
    spec.sampling.max_tokens = u32::try_from(max_tokens).unwrap_or(u32::MAX);
    if all("truncated").next() == Some("trim") {
        spec.gates.truncated = Truncated::Trim;
    }
    Ok(spec)
}

/// A bound of a budget; an empty field is none.
fn bound<T: std::str::FromStr>(
    typed: Option<&str>,
    pointer: &str,
    faults: &mut Vec<FieldError>,
) -> Option<T> {
    let typed = typed.filter(|typed| !typed.is_empty())?;
    let bound = typed.parse().ok();
    if bound.is_none() {
        faults.push(FieldError::new(pointer, "is not a number"));
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_template_meets_every_audience() {
        let filled = fields(&[
            ("name", "ladder"),
            ("seeds", "starter-curriculum"),
            ("template", "story"),
            ("template", "how-to"),
            ("audience", "toddler"),
            ("audience", "college"),
            ("endpoint", "local"),
            ("documents", "8"),
            ("max_tokens", "200"),
            ("truncated", "trim"),
        ]);
        let spec = spec(&filled).unwrap();
        assert_eq!(spec.recipe.len(), 4);
        assert_eq!((spec.documents, spec.sampling.max_tokens), (Some(8), 200));
        assert_eq!(spec.gates.truncated, Truncated::Trim);
        spec.check().unwrap();
    }

    #[test]
    fn accepted_documents_and_bounds_can_be_asked_for() {
        let filled = fields(&[
            ("name", "n"),
            ("seeds", "starter-curriculum"),
            ("template", "story"),
            ("audience", "toddler"),
            ("endpoint", "local"),
            ("documents", "8"),
            ("max_tokens", "200"),
            ("counted", "accepted"),
            ("budget_tokens", "5000"),
            ("budget_usd", ""),
        ]);
        let asked = spec(&filled).unwrap();
        assert_eq!((asked.documents, asked.accepted), (None, Some(8)));
        assert_eq!((asked.budget.tokens, asked.budget.usd), (Some(5_000), None));
        let mut wrong = filled;
        wrong.push(("budget_usd".to_owned(), "lots".to_owned()));
        wrong.retain(|(name, value)| name != "budget_usd" || !value.is_empty());
        assert_eq!(spec(&wrong).unwrap_err().0[0].pointer, "/budget/usd");
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = spec(&fields(&[("documents", "many"), ("template", "a b")])).unwrap_err().0;
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        for pointer in ["/audience", "/endpoint", "/seeds", "/documents", "/max_tokens"] {
            assert!(pointers.contains(&pointer), "{pointer} in {pointers:?}");
        }
    }
}
