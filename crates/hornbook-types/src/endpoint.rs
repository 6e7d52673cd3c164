//! Something that completes prompts.

use serde::{Deserialize, Serialize};

use crate::limits::DOLLARS_PER_MILLION_TOKENS;
use crate::{FieldError, Invalid};

/// Name of the endpoint that every installation has: the engine in this process.
pub const LOCAL_ENDPOINT: &str = "local";

/// An endpoint as a user configures it; its key is write-only and lives apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    /// What it is.
    pub kind: EndpointKind,
    /// Make of the server behind it; absent: whatever speaks the kind's protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<EndpointPreset>,
    /// As the OpenAI clients spell it, ending in `/v1`; empty for the local engine.
    #[serde(default)]
    pub base_url: String,
    /// Model name sent with each request.
    #[serde(default)]
    pub model: String,
    /// What it allows.
    #[serde(default)]
    pub limits: EndpointLimits,
    /// What it costs.
    #[serde(default)]
    pub price: EndpointPrice,
    /// Extra fields sent with every request, such as `{"reasoning_effort": "low"}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub options: serde_json::Map<String, serde_json::Value>,
}

/// Kinds of endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// The candle engine in the worker's own process.
    Local,
    /// A server that speaks the OpenAI chat completions protocol.
    Openai,
    /// A server that speaks Anthropic's Messages protocol.
    Anthropic,
    /// OpenAI's Batch API: half the price, and up to a day until an answer comes.
    OpenaiBatch,
}

impl EndpointKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Local, Self::Openai, Self::Anthropic, Self::OpenaiBatch];

    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::OpenaiBatch => "openai_batch",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Makes of servers whose ways are known: which fields they take and how they spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointPreset {
    /// OpenAI's own service.
    Openai,
    /// Anthropic's own service.
    Anthropic,
    /// A vLLM server.
    Vllm,
    /// An SGLang server.
    Sglang,
    /// Hugging Face's Text Generation Inference.
    Tgi,
    /// `llama-server` of llama.cpp.
    LlamaCpp,
    /// An Ollama server.
    Ollama,
    /// Hugging Face Inference Providers, behind their router.
    HuggingFace,
    /// A `hornbook engine`.
    HornbookEngine,
}

impl EndpointPreset {
    /// Every preset.
    pub const ALL: [Self; 9] = [
        Self::Openai,
        Self::Anthropic,
        Self::Vllm,
        Self::Sglang,
        Self::Tgi,
        Self::LlamaCpp,
        Self::Ollama,
        Self::HuggingFace,
        Self::HornbookEngine,
    ];

    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Tgi => "tgi",
            Self::LlamaCpp => "llama_cpp",
            Self::Ollama => "ollama",
            Self::HuggingFace => "hugging_face",
            Self::HornbookEngine => "hornbook_engine",
        }
    }

    /// The preset of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// The kind of an endpoint with this preset, unless it says otherwise.
    pub fn kind(self) -> EndpointKind {
        match self {
            Self::Anthropic => EndpointKind::Anthropic,
            _ => EndpointKind::Openai,
        }
    }

    /// True when an endpoint of `kind` may have this preset.
    pub fn suits(self, kind: EndpointKind) -> bool {
        kind == self.kind() || (self == Self::Openai && kind == EndpointKind::OpenaiBatch)
    }
}

/// What an endpoint allows; an absent limit is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointLimits {
    /// Most requests under way at once, and where an endpoint starts; absent is found out, from 4 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// Requests in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Prompt and completion tokens in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u32>,
}

/// Price in US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointPrice {
    /// Dollars per million prompt tokens.
    pub input_per_million: f64,
    /// Dollars per million completion tokens.
    pub output_per_million: f64,
}

/// Whether an endpoint takes prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// It takes prompts.
    Ready,
    /// Paused by a user, or by an answer that only a person can mend (a bad key, spent quota).
    Paused,
    /// It cannot work at present; the message says what would mend it.
    Unavailable,
}

impl EndpointState {
    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Paused => "paused",
            Self::Unavailable => "unavailable",
        }
    }
}

impl EndpointSpec {
    /// Checks what can be said without asking the endpoint.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        if let Some(preset) = self.preset
            && !preset.suits(self.kind)
        {
            let (preset, kind) = (preset.as_str(), self.kind.as_str());
            let detail = format!("{preset} is no endpoint of the kind {kind}");
            faults.push(FieldError::new("/preset", detail));
        }
        if self.kind != EndpointKind::Local {
            if !(self.base_url.starts_with("http://") || self.base_url.starts_with("https://")) {
                faults.push(FieldError::new("/base_url", "must be an http or https URL"));
            }
            // URL parsers drop line breaks in silence, so what is stored would not be what is asked.
            let stray = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
            if self.base_url.contains(stray) {
                faults.push(FieldError::new(
                    "/base_url",
                    "must have no query, no fragment and no white space",
                ));
            }
            if self.model.trim().is_empty() {
                faults.push(FieldError::new("/model", "must name the model to ask for"));
            }
        }
        let limits = [
            ("in_flight", self.limits.in_flight),
            ("requests_per_minute", self.limits.requests_per_minute),
            ("tokens_per_minute", self.limits.tokens_per_minute),
        ];
        for (field, limit) in limits {
            if limit == Some(0) {
                faults.push(FieldError::new(format!("/limits/{field}"), "must be at least 1"));
            } else if limit.is_some()
                && self.kind == EndpointKind::OpenaiBatch
                && field != "in_flight"
            {
                let detail = "batches have no limit per minute; leave it out";
                faults.push(FieldError::new(format!("/limits/{field}"), detail));
            }
        }
        for (field, price) in [
            ("input_per_million", self.price.input_per_million),
            ("output_per_million", self.price.output_per_million),
        ] {
            if !(0.0..=DOLLARS_PER_MILLION_TOKENS).contains(&price) {
                faults.push(FieldError::new(
                    format!("/price/{field}"),
                    format!("needs 0 to {DOLLARS_PER_MILLION_TOKENS}"),
                ));
            }
        }
        Invalid::from_faults(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(base_url: &str, price: f64) -> usize {
        let spec = EndpointSpec {
            kind: EndpointKind::Openai,
            preset: None,
            base_url: base_url.to_owned(),
            model: "m".to_owned(),
            limits: EndpointLimits::default(),
            price: EndpointPrice { input_per_million: price, output_per_million: 0.0 },
            options: serde_json::Map::new(),
        };
        spec.check().map_or_else(|invalid| invalid.0.len(), |()| 0)
    }

    #[test]
    fn names_are_those_of_the_json_and_a_preset_has_its_kind() {
        for preset in EndpointPreset::ALL {
            let name = serde_json::to_value(preset).expect("plain data");
            assert_eq!(name, preset.as_str());
            assert_eq!(EndpointPreset::parse(preset.as_str()), Some(preset));
            assert!(preset.suits(preset.kind()) && !preset.suits(EndpointKind::Local));
        }
        for kind in EndpointKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("plain data"), kind.as_str());
            assert_eq!(EndpointKind::parse(kind.as_str()), Some(kind));
        }
        let vllm = |kind: &str| {
            let spec = serde_json::json!({
                "kind": kind, "preset": "vllm", "base_url": "http://a/v1", "model": "m"
            });
            serde_json::from_value::<EndpointSpec>(spec).expect("the types fit").check().is_ok()
        };
        assert!(vllm("openai") && !vllm("anthropic") && !vllm("openai_batch"));
    }

    #[test]
    fn batches_have_no_minutes() {
        let faults = |kind: &str| {
            let spec = serde_json::json!({
                "kind": kind, "base_url": "http://a/v1", "model": "m",
                "limits": {"in_flight": 9, "requests_per_minute": 9, "tokens_per_minute": 9}
            });
            let spec = serde_json::from_value::<EndpointSpec>(spec).expect("the types fit");
            let faults = spec.check().err().map(|invalid| invalid.0).unwrap_or_default();
            faults.into_iter().map(|fault| fault.pointer.to_string()).collect::<Vec<_>>()
        };
        let expected = ["/limits/requests_per_minute", "/limits/tokens_per_minute"];
        assert_eq!(faults("openai_batch"), expected);
        assert!(faults("openai").is_empty());
    }

    #[test]
    fn an_address_is_what_it_seems_and_a_price_is_payable() {
        assert_eq!(faults_of("https://llm.example/v1", 2.5), 0);
        for bad in ["llm.example/v1", "http://a/v1?x", "http://a/v1#x", "http://a/v1\nX: y"] {
            assert_eq!(faults_of(bad, 0.0), 1, "{bad}");
        }
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e308] {
            assert_eq!(faults_of("https://a/v1", bad), 1, "{bad}");
        }
    }
}
