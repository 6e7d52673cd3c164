//! The dataset card: `README.md` with the YAML header that the `datasets` library reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hornbook_records::schema::{COLUMNS, ColumnKind};
use hornbook_types::{PinnedJobSpec, RowFunnel, ShardFormat};

use crate::assemble::SeedOrigin;
use crate::escape::{markdown, yaml};
use crate::shards::{DATA_DIR, SPLIT, extension};

/// What a card tells; nothing in it depends on the clock, the host or the job's id.
pub(crate) struct CardFacts<'a> {
    pub(crate) spec: &'a PinnedJobSpec,
    pub(crate) spec_digest: &'a str,
    pub(crate) partial: bool,
    pub(crate) seeds: &'a SeedOrigin,
    pub(crate) funnel: &'a RowFunnel,
    pub(crate) tokens: u64,
    pub(crate) models: &'a BTreeMap<String, Option<String>>,
    /// Rows by template (`name@version`) and audience (name).
    pub(crate) lines: &'a BTreeMap<(String, String), u64>,
}

/// Licence identifiers that the Hub knows and that seeds are likely to have.
const HUB_LICENSES: [&str; 16] = [
    "apache-2.0",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "cdla-permissive-2.0",
    "cdla-sharing-1.0",
    "gfdl",
    "mit",
    "odbl",
    "odc-by",
    "pddl",
    "unlicense",
];

/// Upper bounds of the Hub's size categories.
const SIZES: [(u64, &str); 7] = [
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
];

/// The whole card.
pub(crate) fn card(facts: &CardFacts<'_>) -> String {
    let mut out = String::new();
    let formats = &facts.spec.assembly.format;
    header(
        &mut out,
        &Header {
            name: &facts.spec.name,
            license: &facts.seeds.license,
            rows: facts.funnel.rows,
            tags: &["synthetic", "textbooks", "hornbook"],
            partial: facts.partial,
            formats,
        },
    );
    introduction(&mut out, facts);
    recipe(&mut out, facts);
    stages(&mut out, facts.funnel, Input::Prompts);
    columns(&mut out);
    loading(&mut out, formats);
    origins(&mut out, facts);
    out
}

/// Appends lines; writing to a string cannot fail.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, $($arg)*);
    }};
}

/// What the YAML at the top of a card says.
pub(crate) struct Header<'a> {
    pub(crate) name: &'a str,
    /// As the importer named it; empty when nobody did.
    pub(crate) license: &'a str,
    pub(crate) rows: u64,
    pub(crate) tags: &'a [&'a str],
    pub(crate) partial: bool,
    pub(crate) formats: &'a [ShardFormat],
}

pub(crate) fn header(out: &mut String, facts: &Header<'_>) {
    line!(out, "---");
    line!(out, "pretty_name: {}", yaml(facts.name));
    license(out, facts.license);
    line!(out, "language:\n- en");
    line!(out, "task_categories:\n- text-generation");
    let size =
        SIZES.iter().find(|(bound, _)| facts.rows < *bound).map_or("1B<n<10B", |(_, name)| name);
    line!(out, "size_categories:\n- {size}");
    line!(out, "tags:");
    for tag in facts.tags {
        line!(out, "- {tag}");
    }
    if facts.partial {
        line!(out, "- partial");
    }
    // Clients take every file that a pattern matches: name one format only, or they read rows twice.
    let format = loaded_format(facts.formats);
    line!(out, "configs:\n- config_name: default\n  data_files:\n  - split: {SPLIT}");
    line!(out, "    path: {DATA_DIR}/{SPLIT}-*.{}", extension(format));
    line!(out, "---\n");
}

fn license(out: &mut String, name: &str) {
    let id = name.trim().to_ascii_lowercase();
    if HUB_LICENSES.contains(&id.as_str()) {
        line!(out, "license: {id}");
    } else {
        line!(out, "license: other");
        if !id.is_empty() {
            line!(out, "license_name: {}", yaml(name.trim()));
        }
    }
}

fn loaded_format(formats: &[ShardFormat]) -> ShardFormat {
    if formats.contains(&ShardFormat::Parquet) {
        ShardFormat::Parquet
    } else {
        ShardFormat::JsonlZst
    }
}

fn introduction(out: &mut String, facts: &CardFacts<'_>) {
    let RowFunnel { prompts, ended, rows, .. } = facts.funnel;
    line!(out, "# {}\n", markdown(&facts.spec.name));
    line!(
        out,
        "Synthetic text, written by language models from prompt templates, audiences and seeds \
         with Hornbook: {rows} documents, {} tokens. Nobody checked the facts in it.\n",
        facts.tokens
    );
    if facts.partial {
        line!(
            out,
            "**This corpus is partial**: {ended} of {prompts} prompts had ended when it was \
             assembled. Shares in the recipe below are not yet those asked for.\n"
        );
    }
}

fn recipe(out: &mut String, facts: &CardFacts<'_>) {
    line!(out, "## Recipe\n");
    line!(out, "| template | format | audience | prompts | rows |");
    line!(out, "|---|---|---|---:|---:|");
    // Lines with the same template and audience share their rows: tell them once, at the first.
    let mut left = facts.lines.clone();
    for pinned in &facts.spec.lines {
        let key = (pinned.template.to_string(), pinned.audience.slug.to_string());
        let rows = left.remove(&key);
        line!(
            out,
            "| {} | {} | {} | {} | {} |",
            pinned.template,
            pinned.template_spec.format,
            pinned.audience,
            pinned.prompts,
            rows.map_or_else(
                || if facts.lines.contains_key(&key) {
                    "as above".to_owned()
                } else {
                    "0".to_owned()
                },
                |rows| rows.to_string()
            ),
        );
    }
    let sampling = &facts.spec.sampling;
    line!(
        out,
        "\nSampling: temperature {}, top_p {}, top_k {}, repetition penalty {}, at most {} tokens, \
         seed {}{}.\n",
        sampling.temperature,
        sampling.top_p,
        sampling.top_k,
        sampling.repetition_penalty,
        sampling.max_tokens,
        sampling.seed,
        sampling
            .unusual()
            .into_iter()
            .map(|(name, value)| format!(", {} {}", name.to_lowercase(), markdown(&value)))
            .collect::<String>()
    );
}

/// What documents of a corpus began as.
#[derive(Clone, Copy)]
pub(crate) enum Input {
    /// Prompts of a job.
    Prompts,
    /// Rows of files.
    Files,
}

pub(crate) fn stages(out: &mut String, funnel: &RowFunnel, input: Input) {
    line!(out, "## Counts at every stage\n");
    line!(out, "| stage | documents |\n|---|---:|");
    match input {
        Input::Prompts => {
            line!(out, "| prompts of the job | {} |", funnel.prompts);
            line!(out, "| prompts that ended | {} |", funnel.ended);
        }
        Input::Files => line!(out, "| documents of the sources | {} |", funnel.prompts),
    }
    for (stage, counts) in [("failed", &funnel.failed), ("rejected", &funnel.rejected)] {
        for (reason, count) in counts {
            line!(out, "| {stage}: {} | {count} |", markdown(reason));
        }
    }
    line!(out, "| accepted | {} |", funnel.accepted);
    for (line, count) in &funnel.shortfall {
        line!(out, "| asked for and not had: {} | {count} |", markdown(line));
    }
    for (reason, count) in &funnel.dropped {
        line!(out, "| dropped: {} | {count} |", markdown(reason));
    }
    line!(out, "| **rows of the corpus** | **{}** |\n", funnel.rows);
}

pub(crate) fn columns(out: &mut String) {
    line!(out, "## Columns\n");
    line!(out, "| column | type | meaning |\n|---|---|---|");
    for column in &COLUMNS {
        let kind = match column.kind {
            ColumnKind::Text => "string",
            ColumnKind::Int64 => "int64",
        };
        line!(out, "| `{}` | {kind} | {} |", column.name, column.meaning);
    }
    line!(out, "");
}

pub(crate) fn loading(out: &mut String, formats: &[ShardFormat]) {
    let pattern = format!("{DATA_DIR}/{SPLIT}-*.{}", extension(loaded_format(formats)));
    line!(out, "## How to load\n");
    line!(out, "From this folder:\n");
    line!(out, "```python\nfrom datasets import load_dataset\n");
    line!(out, "corpus = load_dataset(\".\", split=\"{SPLIT}\")\n```\n");
    line!(out, "The rows lie in `{pattern}`; `manifest.json` has the SHA-256 of every file.\n");
}

fn origins(out: &mut String, facts: &CardFacts<'_>) {
    line!(out, "## Models\n");
    if facts.models.is_empty() {
        line!(out, "None: no document passed.");
    }
    for (model, sha256) in facts.models {
        match sha256 {
            Some(sha256) => line!(out, "- {} (file SHA-256 `{sha256}`)", markdown(model)),
            None => line!(out, "- {}", markdown(model)),
        }
    }
    let or_unknown = |text: &str| match text.trim() {
        "" => "not stated".to_owned(),
        text => markdown(text),
    };
    line!(out, "\n## Seeds and licence\n");
    line!(
        out,
        "Seed set {} ({} records). Licence of the seeds: {}. Source: {}. The `seed_data` column \
         holds each row's seed. The terms of the models above may bind their output too.\n",
        facts.spec.seed_set,
        facts.spec.seeds,
        or_unknown(&facts.seeds.license),
        or_unknown(&facts.seeds.source),
    );
    line!(out, "Spec digest: `{}`", facts.spec_digest);
}
