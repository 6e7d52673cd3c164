//! What a corpus was made from: a recipe, or files.

use std::collections::BTreeMap;

use hornbook_types::PinnedJobSpec;

use super::{CardFacts, Made, line};
use crate::build::{BuildSpec, REMOVED_PATH};
use crate::escape::markdown;

/// Most sources that a card lists; the manifest has them all.
const SOURCES_LISTED: usize = 100;

/// The title, and what this is in a paragraph.
pub(super) fn introduction(out: &mut String, facts: &CardFacts<'_>) {
    let (rows, tokens) = (facts.funnel.rows, facts.tokens);
    line!(out, "# {}\n", markdown(facts.name));
    match facts.made {
        Made::Job(_) => line!(
            out,
            "Synthetic text, written by language models from prompt templates, audiences and seeds with Hornbook: \
             {rows} documents, {tokens} tokens. Nobody checked the facts in it.\n"
        ),
        Made::Files(spec) => line!(
            out,
            "Documents of {} files, assembled with Hornbook: {rows} documents, {tokens} tokens. What was left out is \
             in [`{REMOVED_PATH}`]({REMOVED_PATH}), each with its reason and the document that stays in its place.\n",
            spec.sources.len()
        ),
    }
    if facts.partial {
        let (prompts, ended) = (facts.funnel.prompts, facts.funnel.ended);
        line!(out, "> [!WARNING]");
        line!(
            out,
            "> **This corpus is partial**: {ended} of {prompts} prompts had ended when it was assembled. Shares in \
             the recipe below are not yet those asked for.\n"
        );
    }
}

/// Lines of a job, and how tokens were drawn.
pub(super) fn recipe(
    out: &mut String,
    spec: &PinnedJobSpec,
    lines: &BTreeMap<(String, String), u64>,
) {
    line!(out, "## Recipe\n");
    line!(out, "| template | format | audience | prompts | rows |");
    line!(out, "|---|---|---|---:|---:|");
    // Lines with the same template and audience share their rows: tell them once, at the first.
    let mut left = lines.clone();
    for pinned in &spec.lines {
        let key = (pinned.template.to_string(), pinned.audience.slug.to_string());
        let rows = match left.remove(&key) {
            Some(rows) => rows.to_string(),
            None if lines.contains_key(&key) => "as above".to_owned(),
            None => "0".to_owned(),
        };
        line!(
            out,
            "| {} | {} | {} | {} | {rows} |",
            pinned.template,
            pinned.template_spec.format,
            pinned.audience,
            pinned.prompts,
        );
    }
    let sampling = &spec.sampling;
    let unusual: String = sampling
        .unusual()
        .into_iter()
        .map(|(name, value)| format!(", {} {}", name.to_lowercase(), markdown(&value)))
        .collect();
    line!(
        out,
        "\nSampling: temperature {}, top_p {}, top_k {}, repetition penalty {}, at most {} tokens, seed {}{unusual}.\n",
        sampling.temperature,
        sampling.top_p,
        sampling.top_k,
        sampling.repetition_penalty,
        sampling.max_tokens,
        sampling.seed,
    );
}

/// Files that a corpus was built from.
pub(super) fn sources(out: &mut String, spec: &BuildSpec) {
    line!(out, "## Sources\n\n| file | SHA-256 |\n|---|---|");
    for source in spec.sources.iter().take(SOURCES_LISTED) {
        line!(out, "| {} | `{}` |", markdown(&source.file), source.sha256);
    }
    if let Some(more) = spec.sources.len().checked_sub(SOURCES_LISTED).filter(|more| *more > 0) {
        line!(out, "| and {more} more, in `manifest.json` | |");
    }
    line!(out, "");
}
