//! The prompts of a corpus: templates and audiences, each as a file and, where short, on the card.

use std::collections::BTreeSet;

use hornbook_types::PinnedJobSpec;

use super::{Made, line};
use crate::error::AssembleError;
use crate::escape::{fenced, markdown};
use crate::hashing::sha256_hex;

/// Longest template that is shown on the card, in bytes.
const SHOWN_BYTES: usize = 4 * 1024;
/// Bytes of templates that a card shows.
const SHOWN_BYTES_ALL: usize = 32 * 1024;

/// A template or an audience as a file.
pub(super) struct PromptFile {
    /// What it is, `name@version`.
    pub(super) name: String,
    /// Path below the corpus.
    pub(super) path: String,
    /// What it says.
    pub(super) bytes: Vec<u8>,
    /// Whether it is a template.
    is_template: bool,
}

/// Every template and audience of a job once, in the order of its lines.
pub(super) fn prompts(made: &Made<'_>) -> Result<Vec<PromptFile>, AssembleError> {
    let Made::Job(spec) = made else { return Ok(Vec::new()) };
    let mut seen = BTreeSet::new();
    let mut templates = Vec::new();
    let mut audiences = Vec::new();
    for pinned in &spec.lines {
        let (slug, version) = (&pinned.template.slug, pinned.template.version);
        let path = format!("prompts/{slug}.v{version}.tera");
        if seen.insert(path.clone()) {
            let name = pinned.template.to_string();
            let bytes = pinned.template_spec.body.clone().into_bytes();
            templates.push(PromptFile { name, path, bytes, is_template: true });
        }
        let (slug, version) = (&pinned.audience.slug, pinned.audience.version);
        let path = format!("prompts/audiences/{slug}.v{version}.json");
        if seen.insert(path.clone()) {
            let name = pinned.audience.to_string();
            let mut bytes = serde_json::to_vec_pretty(&pinned.audience_spec)
                .map_err(|error| AssembleError::Row(error.to_string()))?;
            bytes.push(b'\n');
            audiences.push(PromptFile { name, path, bytes, is_template: false });
        }
    }
    templates.append(&mut audiences);
    Ok(templates)
}

/// The section.
pub(super) fn section(out: &mut String, spec: &PinnedJobSpec, prompts: &[PromptFile]) {
    line!(out, "## Prompts\n");
    line!(
        out,
        "A prompt is a template, filled in with an audience and a seed; the column `prompt` has each as it was sent.\n"
    );
    line!(out, "| what | SHA-256 | text |\n|---|---|---|");
    for PromptFile { name, path, bytes, is_template } in prompts {
        let what = if *is_template { "template" } else { "audience" };
        line!(out, "| {what} {name} | `{}` | [{path}]({path}) |", sha256_hex(bytes));
    }
    line!(out, "\n| audience | reader | target tokens | target grade |\n|---|---|---:|---:|");
    let mut seen = BTreeSet::new();
    for pinned in spec.lines.iter().filter(|it| seen.insert(it.audience.to_string())) {
        let it = &pinned.audience_spec;
        let grade = match (it.grade.min, it.grade.max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("from {min}"),
            (None, Some(max)) => format!("to {max}"),
            (None, None) => "any".to_owned(),
        };
        line!(
            out,
            "| {} | {} | {} to {} | {grade} |",
            pinned.audience,
            markdown(&it.reader),
            it.tokens.min,
            it.tokens.max
        );
    }
    line!(out, "");
    let mut left = SHOWN_BYTES_ALL;
    for prompt in prompts.iter().filter(|prompt| prompt.is_template) {
        let size = prompt.bytes.len();
        if size > SHOWN_BYTES.min(left) {
            line!(out, "{} has {size} bytes: see its file.\n", prompt.name);
            continue;
        }
        left -= size;
        line!(out, "{}:\n", prompt.name);
        line!(out, "{}", fenced("text", &String::from_utf8_lossy(&prompt.bytes)));
    }
}
