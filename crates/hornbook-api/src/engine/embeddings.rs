//! `POST /v1/embeddings`: texts as vectors.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hornbook_inference::{Embedding, EmbeddingRequest};
use serde_json::{Value, json};

use super::fault::Fault;
use super::fields::Fields;
use super::limits::EMBEDDING_TEXTS;
use super::underway::Underway;
use super::{EngineState, models};

/// Computes a vector for each text.
pub(super) async fn embeddings(
    State(state): State<EngineState>,
    request: Request,
) -> Result<Json<Value>, Fault> {
    let mut fields = Fields::read(request).await?;
    let name = fields.text("model")?;
    let embedder = models::embedder(&state, name.as_deref())?;
    let texts = texts(&mut fields)?;
    let as_base64 = is_base64(&mut fields)?;
    let dimensions = fields.count("dimensions")?;
    if dimensions.is_some_and(|dimensions| dimensions as usize != embedder.dimensions()) {
        let why = format!("the model's vectors have {} numbers", embedder.dimensions());
        return Err(Fault::unsupported("dimensions", why));
    }
    fields.finish()?;
    let Ok(_place) = state.embeddings.try_acquire() else {
        state.counters.turned_away.fetch_add(1, Ordering::Relaxed);
        return Err(Fault::busy());
    };
    let mut underway = Underway::begin(&state);
    let request = EmbeddingRequest { texts, cancel: underway.cancel().clone() };
    let vectors = embedder.embed(request).await;
    underway.end();
    let vectors = vectors?;
    let tokens: u64 = vectors.iter().map(|vector| vector.tokens).sum();
    let counters = &state.counters;
    counters.embedded_texts.fetch_add(vectors.len() as u64, Ordering::Relaxed);
    counters.embedded_tokens.fetch_add(tokens, Ordering::Relaxed);
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| {
            json!({"object": "embedding", "index": index, "embedding": written(vector, as_base64)})
        })
        .collect();
    Ok(Json(json!({
        "object": "list",
        "data": data,
        "model": embedder.model(),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })))
}

fn texts(fields: &mut Fields) -> Result<Vec<String>, Fault> {
    let texts = match fields.value("input") {
        Some(text @ Value::String(_)) => vec![text],
        Some(Value::Array(texts)) => texts,
        _ => return Err(Fault::value("input", "must be a string or a list of strings")),
    };
    if !(1..=EMBEDDING_TEXTS).contains(&texts.len()) {
        return Err(Fault::value("input", format!("must be 1 to {EMBEDDING_TEXTS} texts")));
    }
    let read = |text| match text {
        Value::String(text) if text.is_empty() => {
            Err(Fault::value("input", "must not hold an empty text"))
        }
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => {
            Err(Fault::unsupported("input", "token numbers are not taken; send text"))
        }
        _ => Err(Fault::value("input", "must be a string or a list of strings")),
    };
    texts.into_iter().map(read).collect()
}

fn is_base64(fields: &mut Fields) -> Result<bool, Fault> {
    match fields.text("encoding_format")?.as_deref() {
        None | Some("float") => Ok(false),
        Some("base64") => Ok(true),
        Some(_) => Err(Fault::value("encoding_format", "must be float or base64")),
    }
}

/// A list of numbers, or their little-endian bytes in base64.
fn written(embedding: &Embedding, as_base64: bool) -> Value {
    if !as_base64 {
        return json!(embedding.vector);
    }
    let bytes: Vec<u8> = embedding.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes).into()
}
