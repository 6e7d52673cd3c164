//! Endpoints with their states.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::endpoints::{self, Endpoint};
use hornbook_types::{EndpointKind, EndpointPreset};

use super::chrome::Chrome;
use super::view::{EndpointCard, EndpointsPage, Fact};
use super::{CATALOG_ROWS, job_cost, show, text};
use crate::{AppState, CanRead, Problem};

/// `GET /endpoints`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let stored = endpoints::list(&state.db, None, CATALOG_ROWS).await?;
    let view = EndpointsPage {
        endpoints: stored.iter().map(card).collect(),
        put_line: format!(
            "curl -X PUT --json '{{\"preset\": \"vllm\", \"base_url\": \"http://gpu-box:8000/v1\", \
             \"model\": \"MODEL\"}}' {}/v1/endpoints/gpu-box",
            state.config.base_url
        ),
    };
    show("endpoints.html", &Chrome::new(&caller, "endpoints").exact(), &view)
}

/// One endpoint as its card shows it.
pub(super) fn card(endpoint: &Endpoint) -> EndpointCard {
    let spec = &endpoint.spec;
    let kind = match spec.kind {
        EndpointKind::Local => "the engine in this process",
        EndpointKind::Openai => "a server that speaks the OpenAI protocol",
        EndpointKind::Anthropic => "a server that speaks the Anthropic protocol",
        EndpointKind::OpenaiBatch => "OpenAI's Batch API: half the price, up to a day",
    };
    let mut facts = vec![Fact::new("Kind", kind)];
    let mut add = |label, value: &str| {
        if !value.is_empty() {
            facts.push(Fact::new(label, value));
        }
    };
    add("Make", spec.preset.map_or("", make));
    add("Model", &spec.model);
    add("Address", &spec.base_url);
    add("Key", if endpoint.has_secret { "stored, encrypted" } else { "" });
    let limits = [
        ("Requests at once", spec.limits.in_flight),
        ("Requests in a minute", spec.limits.requests_per_minute),
        ("Tokens in a minute", spec.limits.tokens_per_minute),
    ];
    for (label, limit) in limits {
        add(label, &limit.map(|limit| text::count(u64::from(limit))).unwrap_or_default());
    }
    let (input, output) = (spec.price.input_per_million, spec.price.output_per_million);
    if input > 0.0 || output > 0.0 {
        add("Price of a million tokens", &format!("${input} in, ${output} out"));
    }
    let used = &endpoint.used;
    if used.documents > 0 {
        add("Documents so far", &text::count(used.documents));
        add("Cost so far", &job_cost::dollars(used.usd));
    }
    EndpointCard {
        name: endpoint.name.to_string(),
        state: endpoint.state.into(),
        message: endpoint.message.as_deref().map(text::label_words),
        facts,
    }
}

/// What people call a make of server.
fn make(preset: EndpointPreset) -> &'static str {
    match preset {
        EndpointPreset::Openai => "OpenAI",
        EndpointPreset::Anthropic => "Anthropic",
        EndpointPreset::Vllm => "vLLM",
        EndpointPreset::Sglang => "SGLang",
        EndpointPreset::Tgi => "Text Generation Inference",
        EndpointPreset::LlamaCpp => "llama.cpp",
        EndpointPreset::Ollama => "Ollama",
        EndpointPreset::HuggingFace => "Hugging Face Inference Providers",
        EndpointPreset::HornbookEngine => "hornbook engine",
    }
}
