//! What a job costs: its budget, what is left of its quota, and what each endpoint did for it.

use hornbook_db::jobs::{self, Job};
use hornbook_types::{BudgetEnd, UsageTotals};
use uuid::Uuid;

use super::text;
use super::view::{EndpointUseRow, Fact, FigureText};
use crate::{AppState, Problem};

/// The cost so far, and how far it is towards the documents that were asked for.
pub(super) fn figures(job: &Job) -> Vec<FigureText> {
    let figure = |label, value: String| FigureText { label, value, unit: None };
    let mut figures = Vec::new();
    if job.usd > 0.0 {
        figures.push(figure("Cost", dollars(job.usd)));
    }
    if let Some(quota) = job.quota {
        let words = format!("{} of {}", text::count(quota.met), text::count(quota.wanted));
        figures.push(figure("Documents asked for", words));
    }
    figures
}

/// The bounds of its budget, where it has some.
pub(super) fn facts(job: &Job) -> Vec<Fact> {
    let budget = &job.budget;
    let mut facts = Vec::new();
    if let Some(tokens) = budget.tokens {
        facts.push(Fact::new("At most, tokens", text::count(tokens)));
    }
    if let Some(usd) = budget.usd {
        facts.push(Fact::new("At most, dollars", dollars(usd)));
    }
    if let Some(failures) = budget.failures {
        facts.push(Fact::new("At most, failed prompts", text::count(failures)));
    }
    if !budget.is_unbounded() {
        let then = match budget.then {
            BudgetEnd::Pause => "it is paused",
            BudgetEnd::Finish => "it ends with a partial corpus",
        };
        facts.push(Fact::new("When that is spent", then));
    }
    facts
}

/// What each endpoint did and cost, of chunks that are done.
pub(super) async fn by_endpoint(
    state: &AppState,
    id: Uuid,
) -> Result<Vec<EndpointUseRow>, Problem> {
    let row = |used: hornbook_types::EndpointUsage| {
        let UsageTotals { documents, prompt_tokens, completion_tokens, usd } = used.totals;
        EndpointUseRow {
            name: used.name,
            documents: text::count(documents),
            prompt_tokens: text::count(prompt_tokens),
            completion_tokens: text::count(completion_tokens),
            cost: dollars(usd),
        }
    };
    Ok(jobs::endpoints(&state.db, id).await?.into_iter().map(row).collect())
}

/// Dollars to the cent, and further where that would show nothing.
pub(super) fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 1.0 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sums_are_not_rounded_to_nothing() {
        assert_eq!(dollars(0.0), "$0.00");
        assert_eq!(dollars(0.0042), "$0.0042");
        assert_eq!(dollars(12.345), "$12.35");
    }
}
