//! Prompt `seq` of a pinned job, as text.

use std::collections::BTreeMap;

use hornbook_types::{Invalid, JobSeed, PinnedJobSpec, PinnedLine, SeedRecord};

use crate::template::audience_value;
use crate::{CompiledTemplate, JobContext, Plan, RenderError};

/// Bytes of English prose behind one token, near enough for an estimate.
const BYTES_PER_TOKEN: usize = 4;

/// Renders a job's prompts: a pure function of the pinned spec, `seq` and that prompt's seed.
#[derive(Debug)]
pub struct Prompter {
    plan: Plan,
    lines: Vec<PinnedLine>,
    templates: Vec<CompiledTemplate>,
    /// For each line, its audience as templates see it.
    audiences: Vec<tera::Value>,
    /// For each line, its template among `templates`.
    template_of: Vec<usize>,
    name: String,
    seed: JobSeed,
    metadata: BTreeMap<String, String>,
}

impl Prompter {
    /// Parses every template of a pinned job, each once.
    pub fn new(spec: &PinnedJobSpec) -> Result<Self, Invalid> {
        let plan = Plan::new(spec).ok_or_else(|| Invalid::at("", "has no prompts to plan"))?;
        let mut templates = Vec::new();
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        let mut template_of = Vec::with_capacity(spec.lines.len());
        for (line, pinned) in spec.lines.iter().enumerate() {
            let body = pinned.template_spec.body.as_str();
            let index = match known.get(body) {
                Some(&index) => index,
                None => {
                    templates.push(CompiledTemplate::parse(body).map_err(|error| {
                        Invalid::at(format!("/lines/{line}/template_spec/body"), error.to_string())
                    })?);
                    known.insert(body, templates.len() - 1);
                    templates.len() - 1
                }
            };
            template_of.push(index);
        }
        let audiences =
            spec.lines.iter().map(|line| audience_value(&line.audience.slug, &line.audience_spec));
        Ok(Self {
            plan,
            audiences: audiences.collect(),
            lines: spec.lines.clone(),
            templates,
            template_of,
            name: spec.name.clone(),
            seed: spec.sampling.seed,
            metadata: spec.metadata.clone(),
        })
    }

    /// The order of the job's prompts.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The recipe line of that index.
    pub fn line(&self, line: usize) -> Option<&PinnedLine> {
        self.lines.get(line)
    }

    /// Prompt `seq`, given the seed that the plan asks for.
    pub fn prompt(&self, seq: u64, seed: &SeedRecord) -> Result<String, RenderError> {
        let planned = self.plan.at(seq);
        if planned.seed_seq != seed.seq {
            return Err(RenderError {
                line: None,
                message: format!(
                    "prompt {seq} needs seed {}, not seed {}",
                    planned.seed_seq, seed.seq
                ),
            });
        }
        let template = &self.templates[self.template_of[planned.line]];
        let job = JobContext { name: &self.name, seed: self.seed, seq, metadata: &self.metadata };
        template.render_for(self.audiences[planned.line].clone(), &seed.data, &job)
    }
}

/// About how many tokens a prompt has: one for every four bytes.
pub fn estimate_tokens(prompt: &str) -> u64 {
    prompt.len().div_ceil(BYTES_PER_TOKEN) as u64
}
