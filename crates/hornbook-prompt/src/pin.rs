//! From a job as submitted to a job whose every prompt is decided.

use std::collections::BTreeMap;

use hornbook_types::limits::PROMPTS_PER_JOB;
use hornbook_types::{
    AudienceSpec, FieldError, Invalid, JobSpec, LineQuota, OutputKind, Pinned, PinnedJobSpec,
    PinnedLine, TemplateSpec,
};

use crate::shares::weights;
use crate::{CompiledTemplate, Plan, prompts_per_line};

/// What a job's `seeds` turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedSeedSet {
    /// The seed set with its version.
    pub pinned: Pinned,
    /// How many records that version has.
    pub count: u64,
    /// For each field, how many records have it.
    pub fields: BTreeMap<String, u64>,
}

/// What one recipe line's references turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedLine {
    /// The template with its version.
    pub template: Pinned,
    /// That version's content.
    pub template_spec: TemplateSpec,
    /// The audience with its version.
    pub audience: Pinned,
    /// That version's content.
    pub audience_spec: AudienceSpec,
}

/// Pins a job, or says everything that is wrong with it.
///
/// `lines[i]` is what `spec.recipe[i]` resolved to. Pointers of faults point into `spec`.
pub fn pin(
    spec: &JobSpec,
    seed_set: &ResolvedSeedSet,
    lines: &[ResolvedLine],
) -> Result<PinnedJobSpec, Invalid> {
    spec.check()?;
    let mut faults = Vec::new();
    if lines.len() != spec.recipe.len() {
        return Err(Invalid::at("/recipe", "has lines that were not resolved"));
    }
    if seed_set.count == 0 {
        faults.push(FieldError::new("/seeds", format!("{} has no seeds", seed_set.pinned)));
    }
    for (index, line) in lines.iter().enumerate() {
        check_line(index, line, seed_set, &mut faults);
    }
    let amounts = amounts(spec, seed_set, &mut faults);
    Invalid::from_faults(faults)?;
    let lines: Vec<PinnedLine> = lines
        .iter()
        .zip(&amounts)
        .map(|(line, &(prompts, quota))| PinnedLine {
            template: line.template.clone(),
            audience: line.audience.clone(),
            prompts,
            quota,
            template_spec: line.template_spec.clone(),
            audience_spec: line.audience_spec.clone(),
        })
        .collect();
    let total = spec.candidates().unwrap_or_else(|| lines.iter().map(|line| line.prompts).sum());
    let mut pinned = PinnedJobSpec {
        name: spec.name.clone(),
        seed_set: seed_set.pinned.clone(),
        seeds: seed_set.count,
        lines,
        total,
        paired: spec.paired,
        sampling: spec.sampling.clone(),
        endpoints: spec.endpoints.clone(),
        gates: spec.gates.clone(),
        assembly: spec.assembly.clone(),
        priority: spec.priority,
        weight: spec.weight,
        metadata: spec.metadata.clone(),
    };
    if spec.accepted.is_some() {
        let plan =
            Plan::new(&pinned).ok_or_else(|| Invalid::at("/accepted", "plans no prompts"))?;
        for (index, line) in pinned.lines.iter_mut().enumerate() {
            line.prompts = plan.prompts_below(index, total);
        }
    }
    Ok(pinned)
}

fn check_line(
    index: usize,
    line: &ResolvedLine,
    seed_set: &ResolvedSeedSet,
    faults: &mut Vec<FieldError>,
) {
    let pointer = format!("/recipe/{index}/template");
    if line.template_spec.output != OutputKind::Text {
        let what = format!("the output kind {}", line.template_spec.output.as_str());
        faults.push(FieldError::not_supported(pointer, &what));
        return;
    }
    match CompiledTemplate::parse(&line.template_spec.body) {
        Err(error) => faults
            .push(FieldError::new(pointer, format!("{} does not parse: {error}", line.template))),
        Ok(template) => {
            for field in &template.fields().required {
                let have = seed_set.fields.get(field).copied().unwrap_or(0);
                if have < seed_set.count {
                    faults.push(FieldError::new(
                        pointer.clone(),
                        format!(
                            "{} needs the seed field '{field}', which {have} of {} seeds of {} have",
                            line.template, seed_set.count, seed_set.pinned
                        ),
                    ));
                }
            }
        }
    }
}

/// How many prompts each line gets, or how many accepted documents it is to give.
fn amounts(
    spec: &JobSpec,
    seed_set: &ResolvedSeedSet,
    faults: &mut Vec<FieldError>,
) -> Vec<(u64, Option<LineQuota>)> {
    let shares: Vec<f64> = spec.recipe.iter().map(|line| line.share.unwrap_or(1.0)).collect();
    if let Some(wanted) = spec.accepted {
        let quotas = prompts_per_line(wanted, &shares).into_iter().zip(weights(&shares));
        return quotas
            .map(|(accepted, weight)| (0, Some(LineQuota { accepted, weight })))
            .collect();
    }
    if let Some(total) = spec.documents {
        return prompts_per_line(total, &shares).into_iter().map(|count| (count, None)).collect();
    }
    let lines = spec.recipe.len() as u64;
    let total = seed_set.count.saturating_mul(lines);
    if total > PROMPTS_PER_JOB {
        faults.push(FieldError::new(
            "/documents",
            format!(
                "every one of {} seeds with every one of {lines} lines is {total} prompts; \
                 at most {PROMPTS_PER_JOB} are allowed: say how many",
                seed_set.count
            ),
        ));
    }
    vec![(seed_set.count, None); spec.recipe.len()]
}
