//! Documents at every stage between what came in and what is a row, with the reason of each that is not.

use hornbook_types::{DedupMode, RowFunnel};

use super::{CardFacts, Made, line};
use crate::escape::{fenced, markdown};

/// Reasons in the order in which an assembly tries them; others follow by their names.
const ORDER: [&str; 4] = ["common_opening", "duplicate_exact", "duplicate_near", "decontaminated"];

/// The section.
pub(super) fn counts(out: &mut String, facts: &CardFacts<'_>) {
    let funnel = facts.funnel;
    line!(out, "## Counts at every stage\n");
    line!(out, "| stage | documents | left |\n|---|---:|---:|");
    let mut left = match facts.made {
        Made::Job(_) => {
            line!(out, "| prompts of the job | {} | |", funnel.prompts);
            line!(out, "| prompts that ended | | {} |", funnel.ended);
            funnel.ended
        }
        Made::Files(_) => {
            line!(out, "| documents of the sources | | {} |", funnel.prompts);
            funnel.prompts
        }
    };
    for (stage, counts) in [("failed", &funnel.failed), ("rejected", &funnel.rejected)] {
        for (reason, count) in counts {
            left = left.saturating_sub(*count);
            line!(out, "| {stage}: {} | {count} | {left} |", markdown(reason));
        }
    }
    line!(out, "| accepted | | {} |", funnel.accepted);
    for (line, count) in &funnel.shortfall {
        line!(out, "| asked for and not had: {} | {count} | |", markdown(line));
    }
    left = funnel.accepted;
    for (reason, count) in dropped(funnel) {
        left = left.saturating_sub(count);
        line!(out, "| dropped: {} | {count} | {left} |", markdown(reason));
    }
    if funnel.repeated > 0 {
        line!(out, "| repeated | {} | {} |", funnel.repeated, left + funnel.repeated);
    }
    line!(out, "| **rows of the corpus** | | **{}** |", funnel.rows);
    line!(out, "| tokens of those rows | {} | |\n", facts.tokens);
    line!(out, "Tokens: {}.\n", markdown(facts.token_counts));
    rates(out, facts);
    if let Some(gates) = facts.gates {
        line!(out, "Gates, where they differ from the defaults of this version:\n");
        let json = serde_json::to_string_pretty(gates).unwrap_or_default();
        line!(out, "{}", fenced("json", &json));
    } else {
        line!(out, "No gate was tried.\n");
    }
}

/// What was dropped at assembly, in the order of its stages.
fn dropped(funnel: &RowFunnel) -> Vec<(&str, u64)> {
    let mut all: Vec<(&str, u64)> =
        funnel.dropped.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    let place = |reason: &str| ORDER.iter().position(|it| *it == reason).unwrap_or(ORDER.len());
    all.sort_by_key(|(reason, _)| (place(reason), *reason));
    all
}

fn rates(out: &mut String, facts: &CardFacts<'_>) {
    let funnel = facts.funnel;
    let judged = funnel.accepted + funnel.rejected.values().sum::<u64>();
    if facts.gates.is_some() {
        let rejected = funnel.rejected.values().sum();
        line!(out, "- Rejected by gates: {} of what was judged.", percent(rejected, judged));
    }
    let count = |reason: &str| funnel.dropped.get(reason).copied().unwrap_or(0);
    let (exact, near) = (count("duplicate_exact"), count("duplicate_near"));
    let all = funnel.accepted;
    match facts.assembly.dedup {
        DedupMode::None => line!(out, "- Duplicates were not looked for.\n"),
        DedupMode::Exact => line!(
            out,
            "- Duplicate rate: {} of the accepted documents read as another one does; similar ones were not \
             looked for.\n",
            percent(exact, all)
        ),
        DedupMode::Near => line!(
            out,
            "- Duplicate rate: {} of the accepted documents, {} that read as another one does and {} that are \
             similar to one.\n",
            percent(exact + near, all),
            percent(exact, all),
            percent(near, all)
        ),
    }
}

/// A share in hundredths, with two decimals.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "none".to_owned();
    }
    format!("{:.2} % ({part} of {whole})", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_come_in_their_order() {
        let mut funnel = RowFunnel::default();
        for reason in
            ["zzz", "decontaminated", "duplicate_near", "common_opening", "duplicate_exact"]
        {
            funnel.dropped.insert(reason.to_owned(), 1);
        }
        let order: Vec<&str> = dropped(&funnel).into_iter().map(|it| it.0).collect();
        let expected =
            ["common_opening", "duplicate_exact", "duplicate_near", "decontaminated", "zzz"];
        assert_eq!(order, expected);
        assert_eq!(percent(1, 3), "33.33 % (1 of 3)");
        assert_eq!(percent(0, 0), "none");
    }
}
