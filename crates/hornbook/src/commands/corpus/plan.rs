//! `hornbook corpus plan`: how much text a model needs, from published figures; asks no service.

use hornbook_types::{Plan, PlanRequest, PlanRow, plan};

use crate::cli::PlanArguments;
use crate::exit::{Failure, Outcome};
use crate::output;

/// Plans and tells.
pub(crate) fn run(arguments: &PlanArguments, as_json: bool) -> Outcome {
    let plan = plan(&request(arguments)).map_err(|error| Failure::usage(error.to_string()))?;
    if as_json {
        let value = serde_json::to_value(&plan);
        return output::json(&value.map_err(|error| Failure::error(error.to_string()))?);
    }
    tell(&plan)
}

/// What was not said is the planner's own default.
fn request(arguments: &PlanArguments) -> PlanRequest {
    let defaults = PlanRequest::default();
    PlanRequest {
        models: arguments.model.clone().map_or(defaults.models, |models| models.join(",")),
        tokens: arguments.tokens,
        flops: arguments.flops,
        available_tokens: arguments.available_tokens,
        tokens_per_document: arguments.tokens_per_document.unwrap_or(defaults.tokens_per_document),
        max_epochs: arguments.max_epochs.unwrap_or(defaults.max_epochs),
    }
}

fn tell(plan: &Plan) -> Outcome {
    let at_most = format!("documents at {} epochs", plan.max_epochs);
    let mut headings =
        vec!["model", "goal", "tokens", "per parameter", "FLOP", "documents", at_most.as_str()];
    let is_held_against = plan.rows.iter().any(|row| row.available.is_some());
    if is_held_against {
        headings.extend(["epochs", "worth", "documents missing"]);
    }
    output::table(&headings, &plan.rows.iter().map(cells).collect::<Vec<_>>())?;
    output::line(&format!("\nA document has {} tokens.", plan.tokens_per_document))?;
    for row in &plan.rows {
        for warning in &row.warnings {
            output::line(&format!("{} ({}): {warning}", row.model, row.goal.as_str()))?;
        }
    }
    for source in &plan.sources {
        output::line(&format!("  {source}"))?;
    }
    Ok(())
}

fn cells(row: &PlanRow) -> Vec<String> {
    let mut cells = vec![
        row.model.clone(),
        row.goal.as_str().to_owned(),
        short(row.tokens as f64),
        format!("{:.1}", row.tokens_per_parameter),
        format!("{:.2e}", row.flops),
        short(row.documents as f64),
        short(row.least_documents as f64),
    ];
    if let Some(available) = &row.available {
        cells.push(format!("{:.2}", available.epochs));
        cells.push(short(available.effective_tokens as f64));
        cells.push(short(available.missing_documents as f64));
    }
    cells
}

/// A number as people say it: `2.70 B`.
fn short(number: f64) -> String {
    for (scale, unit) in [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")] {
        if number >= scale {
            return format!("{:.2} {unit}", number / scale);
        }
    }
    format!("{number}")
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_told_by_their_unit() {
        let told = [0.0, 999.0, 1_500.0, 2.7e9, 6e11, 1e15].map(short);
        assert_eq!(told, ["0", "999", "1.50 k", "2.70 B", "600.00 B", "1000.00 T"]);
    }
}
