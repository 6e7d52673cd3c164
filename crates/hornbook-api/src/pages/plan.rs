//! How much text a model needs.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hornbook_types::{PlanGoal, PlanRequest, PlanRow, plan};
use http::StatusCode;

use super::chrome::Chrome;
use super::errors::sentences;
use super::view::{PlanForm, PlanLine, PlanPage};
use super::{show, text};
use crate::extract::QueryParams;
use crate::{AppState, CanRead, Problem};

/// What a browser sends: fields that were left empty too.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filled {
    models: String,
    tokens: String,
    flops: String,
    available_tokens: String,
    max_epochs: String,
}

/// `GET /corpora/plan`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(_): State<AppState>,
    QueryParams(filled): QueryParams<Filled>,
) -> Result<Response, Problem> {
    let (request, mut faults) = filled.request();
    let planned = plan(&request);
    let (mut rows, mut sources) = (Vec::new(), Vec::new());
    match planned {
        Ok(plan) if faults.is_empty() => {
            rows = plan.rows.iter().map(line).collect();
            sources = plan.sources;
        }
        Ok(_) => {}
        Err(invalid) => faults.extend(sentences(invalid.into())),
    }
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let view = PlanPage {
        faults,
        has_available: request.available_tokens.is_some(),
        form: PlanForm {
            models: request.models,
            tokens: filled.tokens,
            flops: filled.flops,
            available_tokens: filled.available_tokens,
            max_epochs: request.max_epochs.to_string(),
        },
        rows,
        sources,
    };
    Ok((status, show("plan.html", &Chrome::new(&caller, "corpora"), &view)?).into_response())
}

impl Filled {
    /// What is asked for; an empty field is not there.
    fn request(&self) -> (PlanRequest, Vec<String>) {
        fn number<T: std::str::FromStr>(
            typed: &str,
            what: &str,
            faults: &mut Vec<String>,
        ) -> Option<T> {
            let typed = typed.trim();
            if typed.is_empty() {
                return None;
            }
            let number = typed.parse().ok();
            if number.is_none() {
                faults.push(format!("{what}: is not a number."));
            }
            number
        }
        let mut faults = Vec::new();
        let mut request = PlanRequest::default();
        if !self.models.trim().is_empty() {
            self.models.trim().clone_into(&mut request.models);
        }
        request.tokens = number(&self.tokens, "Tokens", &mut faults);
        request.flops = number(&self.flops, "Operations", &mut faults);
        request.available_tokens = number(&self.available_tokens, "Tokens there are", &mut faults);
        if let Some(epochs) = number(&self.max_epochs, "Times", &mut faults) {
            request.max_epochs = epochs;
        }
        (request, faults)
    }
}

fn line(row: &PlanRow) -> PlanLine {
    let goal = match row.goal {
        PlanGoal::Budget => "the budget",
        PlanGoal::Chinchilla => "20 tokens per parameter",
        PlanGoal::Smollm => "as SmolLM was trained",
    };
    let available = row.available.as_ref();
    PlanLine {
        model: row.model.clone(),
        goal,
        tokens: text::large(row.tokens),
        least_tokens: text::large(row.least_tokens),
        least_documents: text::large(row.least_documents),
        epochs: available.map(|there| format!("{:.2}", there.epochs)).unwrap_or_default(),
        missing: available.map(|there| text::large(there.missing_documents)).unwrap_or_default(),
        warnings: row.warnings.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_ask_for_nothing() {
        let (request, faults) = Filled::default().request();
        assert_eq!((request, faults.len()), (PlanRequest::default(), 0));
        let filled = Filled {
            models: " 360M ".to_owned(),
            flops: "1e20".to_owned(),
            available_tokens: "lots".to_owned(),
            ..Filled::default()
        };
        let (request, faults) = filled.request();
        assert_eq!((request.models.as_str(), request.flops), ("360M", Some(1e20)));
        assert_eq!(faults, ["Tokens there are: is not a number."]);
    }
}
