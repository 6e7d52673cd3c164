//! Models, and what their makers ask of those who use what they write.

use super::{CardFacts, Made, line};
use crate::escape::markdown;

/// What is known of models by their names; the first that fits counts.
///
/// Short, and only where the maker's published terms speak of outputs or the weights' licence is plain. Written
/// as of 2026; a reader must look at the terms themselves.
const KNOWN: [(&[&str], &str); 9] = [
    (&["smollm"], "weights under Apache-2.0, which asks nothing of outputs"),
    (&["mixtral-8x", "mistral-7b"], "weights under Apache-2.0, which asks nothing of outputs"),
    (
        &["llama-2", "llama2", "llama-3-", "llama3-"],
        "Llama community licence: outputs may not be used to improve other large language models than Llama's",
    ),
    (
        &["llama-3.", "llama3.", "llama-4"],
        "Llama community licence: a model trained on outputs must have 'Llama' at the beginning of its name",
    ),
    (
        &["gemma"],
        "Gemma terms of use: a model trained on outputs to behave like Gemma is bound by the same terms",
    ),
    (&["gpt-oss"], "weights under Apache-2.0, which asks nothing of outputs"),
    (
        &["gpt-", "chatgpt"],
        "OpenAI's terms: outputs may not be used to develop models that compete with OpenAI's",
    ),
    (
        &["claude"],
        "Anthropic's terms: outputs may not be used to build competing products or train competing models",
    ),
    (
        &["gemini"],
        "Gemini API terms: outputs may not be used to develop models that compete with it",
    ),
];

/// The section.
pub(super) fn models(out: &mut String, facts: &CardFacts<'_>) {
    line!(out, "## Models\n");
    let models: Vec<_> = facts.models.iter().filter(|(name, _)| !name.is_empty()).collect();
    if models.is_empty() {
        match facts.made {
            Made::Job(_) => line!(out, "None: no document passed.\n"),
            Made::Files(_) => line!(out, "The sources name none.\n"),
        }
        return;
    }
    line!(out, "| model | SHA-256 of its file | terms as far as known |\n|---|---|---|");
    for (model, sha256) in models {
        let file = sha256.as_ref().map_or_else(|| "not known".to_owned(), |it| format!("`{it}`"));
        let terms = of_outputs(model).unwrap_or("not known");
        line!(out, "| {} | {file} | {terms} |", markdown(model));
    }
    if let Made::Job(spec) = facts.made {
        let endpoints: Vec<&str> = spec.endpoints.iter().map(|name| name.as_str()).collect();
        line!(out, "\nEndpoints: {}.", markdown(&endpoints.join(", ")));
    }
    line!(
        out,
        "\nTerms were told from the model's name alone and may have changed: read the maker's own before training.\n"
    );
}

/// What is known of a model's outputs.
fn of_outputs(model: &str) -> Option<&'static str> {
    let lower = model.to_lowercase();
    // A name may have an organisation and a folder before it.
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let fits =
        |beginning: &&str| name.starts_with(*beginning) || name.contains(&format!("-{beginning}"));
    let known = KNOWN.iter().find(|(beginnings, _)| beginnings.iter().any(fits))?;
    Some(known.1)
}

#[cfg(test)]
mod tests {
    use super::of_outputs;

    #[test]
    fn models_are_told_by_their_names() {
        for (model, expected) in [
            ("SmolLM2-135M-Instruct.Q4_1.gguf", "Apache"),
            ("mistralai/Mixtral-8x7B-Instruct-v0.1", "Apache"),
            ("meta-llama/Meta-Llama-3-8B", "may not"),
            ("meta-llama/Llama-3.1-8B", "beginning of its name"),
            ("gpt-4o-mini", "OpenAI"),
            ("openai/gpt-oss-20b", "Apache"),
        ] {
            assert!(of_outputs(model).is_some_and(|terms| terms.contains(expected)), "{model}");
        }
        for unknown in ["", "my-model", "smol <b>", "egpt"] {
            assert_eq!(of_outputs(unknown), None, "{unknown}");
        }
    }
}
