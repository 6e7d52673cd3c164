//! `/v1/endpoints`: what completes prompts.

mod delete;
mod get;
mod list;
mod pause;
mod put;
mod resume;
mod test;

use hornbook_db::endpoints::Endpoint;
use hornbook_types::{
    EndpointKind, EndpointLimits, EndpointPreset, EndpointPrice, EndpointState, Slug, UsageTotals,
};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{AppState, Problem};

/// The operations of this resource.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_endpoints))
        .routes(routes!(get::get_endpoint, put::put_endpoint, delete::delete_endpoint))
        .routes(routes!(pause::pause_endpoint))
        .routes(routes!(resume::resume_endpoint))
        .routes(routes!(test::test_endpoint))
}

/// An endpoint; its key is never shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Endpoint)]
pub(crate) struct EndpointView {
    /// Name.
    name: Slug,
    /// What it is.
    kind: EndpointKind,
    /// Make of the server behind it.
    #[schema(value_type = Option<EndpointPreset>)]
    preset: Option<EndpointPreset>,
    /// As the OpenAI clients spell it; empty for the local engine.
    base_url: String,
    /// Model asked for.
    model: String,
    /// True when a key is stored.
    has_api_key: bool,
    /// What it allows.
    limits: EndpointLimits,
    /// What it costs.
    price: EndpointPrice,
    /// Extra fields sent with every request.
    #[schema(value_type = Object)]
    options: Map<String, Value>,
    /// Whether it takes prompts.
    state: EndpointState,
    /// Why not, and what would mend it.
    message: Option<String>,
    /// When it was first configured.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// What it did and cost in all jobs, of chunks that are done.
    usage: UsageTotals,
}

impl From<Endpoint> for EndpointView {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            name: endpoint.name,
            kind: endpoint.spec.kind,
            preset: endpoint.spec.preset,
            base_url: endpoint.spec.base_url,
            model: endpoint.spec.model,
            has_api_key: endpoint.has_secret,
            limits: endpoint.spec.limits,
            price: endpoint.spec.price,
            options: endpoint.spec.options,
            state: endpoint.state,
            message: endpoint.message,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
            usage: endpoint.used,
        }
    }
}

/// The name of an endpoint that is to be looked up; a bad one does not exist.
fn existing(text: &str) -> Result<Slug, Problem> {
    text.parse().map_err(|_: String| Problem::not_found("this endpoint"))
}
