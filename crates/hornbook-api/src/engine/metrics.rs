//! `GET /metrics`: counters for Prometheus.

use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use hornbook_inference::Load;

use super::EngineState;
use crate::metrics::Exposition;

/// What the engine does and did, in the Prometheus text format; rates are for the reader to make
/// of totals.
pub(super) async fn metrics(State(state): State<EngineState>) -> Exposition {
    let mut text = Exposition::default();
    state.metrics.write_replies(&mut text);
    let counters = &state.counters;
    text.counter(
        "hornbook_engine_turned_away_total",
        "Requests that found the queue full.",
        counters.turned_away.load(Relaxed),
    );
    text.counter(
        "hornbook_engine_abandoned_total",
        "Requests whose client went away first.",
        counters.abandoned.load(Relaxed),
    );
    let slots = u64::try_from(state.backend.slots()).unwrap_or(u64::MAX);
    text.gauge("hornbook_engine_slots", "Sequences that can be written at once.", slots);
    if let Some(load) = state.backend.load() {
        write_load(&mut text, &load);
    }
    if state.embedder.is_some() {
        text.counter(
            "hornbook_engine_embedded_texts_total",
            "Texts turned into vectors.",
            counters.embedded_texts.load(Relaxed),
        );
        text.counter(
            "hornbook_engine_embedded_tokens_total",
            "Tokens of texts turned into vectors.",
            counters.embedded_tokens.load(Relaxed),
        );
    }
    text
}

fn write_load(text: &mut Exposition, load: &Load) {
    let gauges = [
        ("queued_prompts", "Prompts that wait for a slot.", load.queued_prompts),
        ("running_sequences", "Sequences under way.", load.running_sequences),
        ("kv_pages", "Pages of keys and values that there are.", load.kv_pages),
        ("kv_pages_held", "Pages that sequences under way hold.", load.kv_pages_held),
        ("kv_pages_cached", "Pages kept for later prompts.", load.kv_pages_cached),
    ];
    for (name, help, value) in gauges {
        text.gauge(&format!("hornbook_engine_{name}"), help, value);
    }
    let totals = [
        ("prompt_tokens", "Tokens of prompts.", load.prompt_tokens),
        ("cached_prompt_tokens", "Tokens of prompts that were found computed.", load.cached_tokens),
        ("completion_tokens", "Tokens drawn.", load.completion_tokens),
        ("passes", "Passes through the model.", load.passes),
        ("rows", "Rows of all passes; divided by them, the mean batch.", load.rows),
    ];
    for (name, help, value) in totals {
        text.counter(&format!("hornbook_engine_{name}_total"), help, value);
    }
}
