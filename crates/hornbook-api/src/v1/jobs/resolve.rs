//! From the names in a job to what they name; every name that names nothing is told at once.

use std::collections::HashMap;

use hornbook_db::{audiences, endpoints, seed_sets, templates};
use hornbook_inference::preset;
use hornbook_prompt::{ResolvedLine, ResolvedSeedSet};
use hornbook_types::{FieldError, Invalid, JobSpec, Reference, SeedSource};

use crate::v1::benchmarks::pin_benchmarks;
use crate::v1::version::found;
use crate::{AppState, Problem};

/// Looks up everything that `spec` names; the benchmarks in it become the versions that they are now.
pub(super) async fn resolve(
    state: &AppState,
    spec: &mut JobSpec,
) -> Result<(ResolvedSeedSet, Vec<ResolvedLine>), Problem> {
    let mut faults = Vec::new();
    let missing = |pointer: String, kind: &str, name: &dyn std::fmt::Display| {
        FieldError::new(pointer, format!("there is no {kind} '{name}'"))
    };
    let seed_set = seed_set(state, spec).await?;
    if let (None, SeedSource::SeedSet(name)) = (&seed_set, &spec.seeds) {
        faults.push(missing("/seeds".to_owned(), "seed set", name));
    }
    for (index, name) in spec.endpoints.iter().enumerate() {
        let pointer = format!("/endpoints/{index}");
        match found(endpoints::get(&state.db, name).await)? {
            None => faults.push(missing(pointer, "endpoint", name)),
            Some(endpoint) => {
                if let Some(why) = preset::refusal(&endpoint.spec, &spec.sampling) {
                    faults.push(FieldError::new(pointer, format!("{name} {why}")));
                }
            }
        }
    }
    // A recipe names the same few things over and over, and must see one version of each.
    let (mut known_templates, mut known_audiences) = (HashMap::new(), HashMap::new());
    let mut lines = Vec::with_capacity(spec.recipe.len());
    for (index, line) in spec.recipe.iter().enumerate() {
        let template = look_up(&mut known_templates, &line.template, async |name| {
            found(templates::get(&state.db, name).await)
        });
        let template = template.await?;
        let audience = look_up(&mut known_audiences, &line.audience, async |name| {
            found(audiences::get(&state.db, name).await)
        });
        match (template, audience.await?) {
            (Some(template), Some(audience)) => lines.push(ResolvedLine {
                template: template.pinned,
                template_spec: template.spec,
                audience: audience.pinned,
                audience_spec: audience.spec,
            }),
            (template, audience) => {
                let at = |field: &str| format!("/recipe/{index}/{field}");
                if template.is_none() {
                    faults.push(missing(at("template"), "template", &line.template));
                }
                if audience.is_none() {
                    faults.push(missing(at("audience"), "audience", &line.audience));
                }
            }
        }
    }
    pin_benchmarks(state, &mut spec.assembly, "/assembly", &mut faults).await?;
    Invalid::from_faults(faults)?;
    let seed_set =
        seed_set.ok_or_else(|| Problem::unbuilt("/seeds/job", "another job as seeds"))?;
    Ok((seed_set, lines))
}

async fn seed_set(state: &AppState, spec: &JobSpec) -> Result<Option<ResolvedSeedSet>, Problem> {
    let SeedSource::SeedSet(name) = &spec.seeds else { return Ok(None) };
    Ok(found(seed_sets::get(&state.db, name).await)?.map(|set| ResolvedSeedSet {
        pinned: set.pinned,
        count: set.count,
        fields: set.fields,
    }))
}

async fn look_up<T: Clone>(
    known: &mut HashMap<Reference, Option<T>>,
    name: &Reference,
    look: impl AsyncFnOnce(&Reference) -> Result<Option<T>, Problem>,
) -> Result<Option<T>, Problem> {
    if let Some(thing) = known.get(name) {
        return Ok(thing.clone());
    }
    let thing = look(name).await?;
    known.insert(name.clone(), thing.clone());
    Ok(thing)
}
