//! What finished prompts cost, and to whom it was paid.

use std::collections::BTreeMap;

use hornbook_types::{Document, Slug, Usage};
use serde_json::{Value, json};

/// Something that an endpoint was paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct Paid {
    /// Who was paid.
    pub endpoint: Slug,
    /// The tokens that it charged.
    pub usage: Usage,
    /// US dollars.
    pub usd: f64,
}

/// What one document cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bill {
    /// US dollars for the tokens that the document itself says.
    pub usd: f64,
    /// What attempts cost besides, of which nothing is kept.
    pub wasted: Vec<Paid>,
}

/// What was paid for a group by endpoint, as `commit_group` has it: tokens of which nothing is kept,
/// and all the dollars.
pub(super) fn by_endpoint(documents: &[Document], bills: &[Bill]) -> Value {
    let mut sums: BTreeMap<&str, (u64, u64, f64)> = BTreeMap::new();
    for (document, bill) in documents.iter().zip(bills) {
        sums.entry(document.endpoint.as_str()).or_default().2 += bill.usd;
        for paid in &bill.wasted {
            let sum = sums.entry(paid.endpoint.as_str()).or_default();
            sum.0 = sum.0.saturating_add(paid.usage.prompt_tokens);
            sum.1 = sum.1.saturating_add(paid.usage.completion_tokens);
            sum.2 += paid.usd;
        }
    }
    sums.into_iter()
        .map(|(endpoint, (prompt, answer, usd))| {
            (endpoint.to_owned(), json!([prompt, answer, usd]))
        })
        .collect()
}
