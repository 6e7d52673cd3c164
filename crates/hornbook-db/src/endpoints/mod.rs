//! Endpoints: what completes prompts, with sealed keys.

mod put;
mod read;
mod state;

use hornbook_types::{
    EndpointKind, EndpointLimits, EndpointPreset, EndpointPrice, EndpointSpec, EndpointState, Slug,
    UsageTotals,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::DbError;
use crate::convert::name;

pub use put::{Secret, delete, ensure_local, put};
pub use read::{get, gone, list, open};
pub use state::{note_model, noted_model, pause, resume, set_state};

/// A stored endpoint, without its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Never changes and is never used again.
    pub id: Uuid,
    /// Name.
    pub name: Slug,
    /// What it is.
    pub spec: EndpointSpec,
    /// True when a key is stored.
    pub has_secret: bool,
    /// Whether it takes prompts.
    pub state: EndpointState,
    /// Why not, and what would mend it.
    pub message: Option<String>,
    /// Goes up with every change of configuration or key; workers rebuild their client when it does.
    pub revision: u64,
    /// When it was first configured.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// What it did and cost in all jobs, of chunks that are done.
    pub used: UsageTotals,
}

/// What is known of a model behind an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Name that its answers carry.
    pub model: String,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: Option<String>,
    /// Kernels that compute.
    pub instruction_set: Option<String>,
}

const COLUMNS: &str = "id, name, kind, preset, base_url, model, limits, price, options,
    secret IS NOT NULL AS has_secret, state, message, revision, created_at, updated_at,
    (SELECT to_jsonb(u) FROM endpoint_usage_now AS u WHERE u.endpoint = endpoints.name) AS used";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    kind: String,
    preset: Option<String>,
    base_url: String,
    model: String,
    limits: Json<EndpointLimits>,
    price: Json<EndpointPrice>,
    options: Json<Map<String, Value>>,
    has_secret: bool,
    state: String,
    message: Option<String>,
    revision: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    used: Option<Json<UsageTotals>>,
}

impl Row {
    fn into_endpoint(self) -> Result<Endpoint, DbError> {
        let unknown = |what: &str| DbError::Other(format!("stored endpoint {what} is unknown"));
        let kind = EndpointKind::parse(&self.kind).ok_or_else(|| unknown("kind"))?;
        let preset = match self.preset {
            None => None,
            Some(name) => Some(EndpointPreset::parse(&name).ok_or_else(|| unknown("preset"))?),
        };
        let state = [EndpointState::Ready, EndpointState::Paused, EndpointState::Unavailable]
            .into_iter()
            .find(|state| state.as_str() == self.state)
            .ok_or_else(|| unknown("state"))?;
        Ok(Endpoint {
            id: self.id,
            name: name(&self.name, "endpoint")?,
            spec: EndpointSpec {
                kind,
                preset,
                base_url: self.base_url,
                model: self.model,
                limits: self.limits.0,
                price: self.price.0,
                options: self.options.0,
            },
            has_secret: self.has_secret,
            state,
            message: self.message,
            revision: crate::convert::from_sql(self.revision),
            created_at: self.created_at,
            updated_at: self.updated_at,
            used: self.used.map(|used| used.0).unwrap_or_default(),
        })
    }
}
