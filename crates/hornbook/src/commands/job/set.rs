//! `hornbook job set`: change a job's budget or priority.

use serde_json::{Map, Value, json};

use crate::client::{Client, segment};
use crate::exit::{Failure, Outcome};
use crate::output::{self, text};

/// Bounds as typed; 0 takes one away.
pub(crate) struct Bounds {
    pub(crate) budget_tokens: Option<u64>,
    pub(crate) budget_usd: Option<f64>,
    pub(crate) budget_failures: Option<u64>,
    pub(crate) then: Option<String>,
}

impl Bounds {
    fn json(self) -> Map<String, Value> {
        let whole = |bound: u64| if bound == 0 { Value::Null } else { json!(bound) };
        let bounds = [
            ("tokens", self.budget_tokens.map(whole)),
            ("usd", self.budget_usd.map(|usd| if usd == 0.0 { Value::Null } else { json!(usd) })),
            ("failures", self.budget_failures.map(whole)),
            ("then", self.then.map(Value::String)),
        ];
        let given = bounds.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        given.collect()
    }
}

/// Changes a job and prints its budget and state afterwards.
pub(crate) async fn run(
    client: &Client,
    job: &str,
    bounds: Bounds,
    priority: Option<i32>,
    as_json: bool,
) -> Outcome {
    let mut change = Map::new();
    let budget = bounds.json();
    if !budget.is_empty() {
        change.insert("budget".to_owned(), Value::Object(budget));
    }
    if let Some(priority) = priority {
        change.insert("priority".to_owned(), json!(priority));
    }
    if change.is_empty() {
        return Err(Failure::usage(
            "say what to change, such as --budget-tokens 2000000".to_owned(),
        ));
    }
    let answer =
        client.patch(&format!("/v1/jobs/{}", segment(job)), &Value::Object(change)).await?;
    if as_json {
        return output::json(&answer);
    }
    let budget = answer.get("budget").map(Value::to_string).unwrap_or_default();
    output::line(&format!(
        "{job}  {}  priority {}  budget {budget}",
        text(&answer, "/state"),
        text(&answer, "/priority")
    ))
}
