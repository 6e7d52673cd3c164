//! `GET /v1/models` and `GET /v1/models/{id}`: what is served here.

use axum::Json;
use axum::extract::{Path, State};
use hornbook_inference::{Provenance, SharedEmbedder};
use serde_json::{Value, json};

use super::EngineState;
use super::fault::Fault;

/// Lists the models.
pub(super) async fn models(State(state): State<EngineState>) -> Json<Value> {
    Json(json!({"object": "list", "data": served(&state)}))
}

/// Shows one model.
pub(super) async fn model(
    State(state): State<EngineState>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    let found = served(&state).into_iter().find(|model| model["id"] == id.as_str());
    found.map(Json).ok_or_else(|| not_served(&state, &id))
}

fn served(state: &EngineState) -> Vec<Value> {
    let describe = |id: &str, provenance: Provenance| {
        json!({
            "id": id,
            "object": "model",
            "created": state.started_unix_s,
            "owned_by": "hornbook",
            "sha256": provenance.model_sha256,
            "instruction_set": provenance.instruction_set,
        })
    };
    let completing = describe(state.backend.model(), state.backend.provenance());
    let embedding = state.embedder.as_ref();
    let embedding = embedding.map(|model| describe(model.model(), model.provenance()));
    std::iter::once(completing).chain(embedding).collect()
}

/// Refuses a request for a model that does not complete prompts here; one that names none means
/// the one there is.
pub(super) fn check_completing(state: &EngineState, name: Option<String>) -> Result<(), Fault> {
    match name {
        Some(name) if name != state.backend.model() => Err(not_served(state, &name)),
        _ => Ok(()),
    }
}

/// The embedder, unless the request is for another model.
pub(super) fn embedder<'a>(
    state: &'a EngineState,
    name: Option<&str>,
) -> Result<&'a SharedEmbedder, Fault> {
    let Some(embedder) = &state.embedder else {
        let message = "no embedding model is served here; start the engine with --embedding-model";
        return Err(Fault::model_not_found(message));
    };
    match name {
        Some(name) if name != embedder.model() => Err(not_served(state, name)),
        _ => Ok(embedder),
    }
}

/// Longest part of a name that an error repeats.
const NAME_CHARS: usize = 100;

fn not_served(state: &EngineState, asked: &str) -> Fault {
    let asked: String = asked.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
    let completing = state.backend.model();
    let embedding = state.embedder.as_ref().map(|model| model.model());
    let embedding = embedding.map(|name| format!(", and '{name}' for embeddings"));
    Fault::model_not_found(format!(
        "the model '{asked}' is not served for this; '{completing}' completes prompts{}",
        embedding.unwrap_or_default()
    ))
}
