//! How to build a corpus again: a spec beside the card, and the command that takes it.

use std::collections::BTreeSet;

use hornbook_types::{JobSpec, PinnedJobSpec, RecipeLine, Reference, SeedSource};
use serde_json::json;

use super::{CardFacts, Made, line};
use crate::build::BuildSpec;
use crate::error::AssembleError;
use crate::escape::{fenced, shell};

/// Path of a job's spec below its corpus.
const JOB_PATH: &str = "job.json";
/// Path of a build's settings below its corpus.
const SPEC_PATH: &str = "spec.json";
/// Most sources that the command names one by one.
const NAMED: usize = 20;

/// The spec as a file.
pub(super) fn spec_file(facts: &CardFacts<'_>) -> Result<(String, Vec<u8>), AssembleError> {
    let (path, mut json) = match facts.made {
        Made::Job(spec) => (JOB_PATH, serde_json::to_vec_pretty(&submitted(spec))),
        Made::Files(spec) => (SPEC_PATH, serde_json::to_vec_pretty(&settings(facts.name, spec))),
    };
    if let Ok(json) = &mut json {
        json.push(b'\n');
    }
    let json = json.map_err(|error| AssembleError::Row(error.to_string()))?;
    Ok((path.to_owned(), json))
}

/// The job as somebody would submit it, every version named; pinned again it is the same job.
fn submitted(spec: &PinnedJobSpec) -> JobSpec {
    let pinned = |it: &hornbook_types::Pinned| Reference {
        slug: it.slug.clone(),
        version: Some(it.version),
    };
    let accepted = spec.quotas().map(|quotas| quotas.iter().sum());
    let recipe = spec
        .lines
        .iter()
        .map(|line| RecipeLine {
            template: pinned(&line.template),
            audience: pinned(&line.audience),
            // Weights are the shares as millionths; numbers of prompts are shares of their own sum, and a
            // line that has none yet had a share above zero.
            share: Some(line.quota.map_or(line.prompts as f64, |it| it.weight as f64).max(1e-6)),
        })
        .collect();
    JobSpec {
        name: spec.name.clone(),
        seeds: SeedSource::SeedSet(pinned(&spec.seed_set)),
        recipe,
        documents: accepted.is_none().then_some(spec.total),
        accepted,
        max_candidates: accepted.map(|_| spec.total),
        paired: spec.paired,
        sampling: spec.sampling.clone(),
        endpoints: spec.endpoints.clone(),
        budget: hornbook_types::Budget::default(),
        gates: spec.gates.clone(),
        assembly: spec.assembly.clone(),
        priority: spec.priority,
        weight: spec.weight,
        metadata: spec.metadata.clone(),
    }
}

/// What `hornbook corpus build --spec` takes.
fn settings(name: &str, spec: &BuildSpec) -> serde_json::Value {
    let mut settings = json!({ "name": name, "assembly": spec.assembly });
    if let Some(gates) = &spec.gates {
        settings["gates"] = json!(gates);
    }
    if let Some(mix) = &spec.mix {
        settings["mix"] = json!(mix);
    }
    if !spec.licenses.is_empty() {
        settings["licenses"] = json!(spec.licenses);
    }
    settings
}

/// The section.
pub(super) fn rebuild(out: &mut String, facts: &CardFacts<'_>) {
    line!(out, "## How to build it again\n");
    match facts.made {
        Made::Job(spec) => job(out, spec),
        Made::Files(spec) => files(out, spec),
    }
    line!(
        out,
        "The same spec digest means the same settings and inputs: `{}`. The same `commit` in `manifest.json` means the \
         same bytes.",
        facts.spec_digest
    );
}

fn job(out: &mut String, spec: &PinnedJobSpec) {
    line!(
        out,
        "On a service that has seed set {}, the templates and the audiences above in these versions (`hornbook template \
         push`, `hornbook seeds push`), and the endpoints and models below:\n",
        spec.seed_set
    );
    let command =
        format!("hornbook job submit {JOB_PATH} --watch\nhornbook corpus pull JOB -o corpus");
    line!(out, "{}", fenced("sh", &command));
    line!(
        out,
        "A local model writes the same text again from the same file with the same instruction set (both are in \
         `manifest.json`); what a remote endpoint writes differs from run to run.\n"
    );
}

fn files(out: &mut String, spec: &BuildSpec) {
    let mut command = "hornbook corpus build".to_owned();
    let mixed: BTreeSet<&str> =
        spec.sources.iter().filter_map(|from| from.source.as_deref()).collect();
    let labels: Option<Vec<String>> =
        spec.sources.iter().map(|source| shell(&source.file)).collect();
    let is_flat = spec.sources.iter().all(|source| !source.file.contains('/'));
    let named = labels.filter(|labels| is_flat && labels.len() <= NAMED);
    if !mixed.is_empty() {
        line!(out, "With the files of each source in a directory of its name:\n");
        for name in mixed {
            // Names of sources are letters, digits, dots, dashes and underscores.
            command.push_str(&format!(" --source {name}={name}"));
        }
    } else if let Some(labels) = &named {
        line!(out, "With the files above in the working directory:\n");
        labels.iter().for_each(|label| command.push_str(&format!(" --source {label}")));
    } else {
        line!(out, "With the files above below a directory `sources`, under these paths:\n");
        command.push_str(" --source sources");
    }
    for benchmark in &spec.benchmarks {
        let name = shell(&benchmark.file).unwrap_or_else(|| "BENCHMARK.jsonl".to_owned());
        command.push_str(&format!(" --benchmark {name}"));
    }
    if !spec.against.is_empty() {
        // Their hashes are in the manifest; where they lay is nobody's to know.
        command.push_str(" --against OTHER_CORPUS");
    }
    command.push_str(&format!(" --spec {SPEC_PATH} --out corpus"));
    line!(out, "{}", fenced("sh", &command));
    line!(out, "Threads and the places of files make no difference.\n");
}
