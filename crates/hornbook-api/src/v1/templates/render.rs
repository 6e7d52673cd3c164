//! Renders a template, saved or not, for one audience and one seed.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use hornbook_db::{audiences, seed_sets, seeds, templates};
use hornbook_prompt::{JobContext, RenderContext, estimate_tokens, lint_template};
use hornbook_types::{JobSeed, Reference, TemplateSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Warning;
use super::trial::{parse, render_fault};
use crate::extract::{JsonBody, reference};
use crate::v1::version::found;
use crate::{AppState, CanRead, Problem};

/// What to render.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenderRequest {
    /// For whom: `name` or `name@version`.
    #[schema(value_type = String)]
    audience: Reference,
    /// The seed record; or else name one of a seed set.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    seed: Option<Map<String, Value>>,
    /// A seed set, `name` or `name@version`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    seed_set: Option<Reference>,
    /// Number of the record within `seed_set`; default 0.
    #[serde(default)]
    seq: Option<u64>,
    /// A body to render in place of the stored one; nothing is stored.
    #[serde(default)]
    body: Option<String>,
}

/// A rendered prompt.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Rendered {
    /// The prompt, as an endpoint would get it.
    prompt: String,
    /// About how many tokens it has.
    tokens_estimate: u64,
    /// What could be better.
    warnings: Vec<Warning>,
}

/// Renders a template for one audience and one seed, without storing or sending anything.
///
/// With `body`, the template of that name need not exist.
#[utoipa::path(
    post, path = "/v1/templates/{slug}/render", tag = "templates",
    params(("slug" = String, Path, description = "`name` or `name@version`")),
    request_body(content = RenderRequest, description = "Audience and seed"),
    responses(
        (status = 200, description = "The prompt", body = Rendered),
        (status = 404, description = "No such template or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong, or the template does not parse or render",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn render_template(
    _: CanRead,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    JsonBody(request): JsonBody<RenderRequest>,
) -> Result<Json<Rendered>, Problem> {
    let spec = spec_of(&state, &slug, request.body.as_ref()).await?;
    let audience = found(audiences::get(&state.db, &request.audience).await)?
        .ok_or_else(|| Problem::field("/audience", "there is no such audience"))?;
    let (seq, seed) = seed_of(&state, &request).await?;
    let work = move || -> Result<Rendered, Problem> {
        let prompt = parse(&spec.body)?
            .render(&RenderContext {
                audience: &audience.pinned.slug,
                audience_spec: &audience.spec,
                seed: &seed,
                job: JobContext {
                    name: "preview",
                    seed: JobSeed(0),
                    seq,
                    metadata: &BTreeMap::new(),
                },
            })
            .map_err(|error| render_fault(&error, None))?;
        Ok(Rendered {
            tokens_estimate: estimate_tokens(&prompt),
            prompt,
            warnings: lint_template(&spec).into_iter().map(Warning::from).collect(),
        })
    };
    state.render.run(work).await?.map(Json)
}

async fn spec_of(
    state: &AppState,
    slug: &str,
    body: Option<&String>,
) -> Result<TemplateSpec, Problem> {
    let reference = reference("template", slug)?;
    let Some(body) = body else {
        return Ok(templates::get(&state.db, &reference).await?.spec);
    };
    let spec = TemplateSpec {
        format: reference.slug,
        output: hornbook_types::OutputKind::Text,
        body: body.clone(),
        description: None,
    };
    spec.check()?;
    Ok(spec)
}

async fn seed_of(
    state: &AppState,
    request: &RenderRequest,
) -> Result<(u64, Map<String, Value>), Problem> {
    let seq = request.seq.unwrap_or(0);
    match (&request.seed, &request.seed_set) {
        (Some(_), Some(_)) => {
            Err(Problem::field("/seed_set", "give a seed or a seed set, not both"))
        }
        (None, None) => Err(Problem::field("/seed", "give a seed, or a seed set and a seq")),
        (Some(seed), None) => Ok((seq, seed.clone())),
        (None, Some(set)) => {
            let set = found(seed_sets::get(&state.db, set).await)?
                .ok_or_else(|| Problem::field("/seed_set", "there is no such seed set"))?;
            let seed = seeds::by_seqs(&state.db, &set.pinned, &[seq]).await?.pop();
            let seed = seed.ok_or_else(|| {
                Problem::field("/seq", format!("{} has {} seeds", set.pinned, set.count))
            })?;
            Ok((seq, seed.data))
        }
    }
}
