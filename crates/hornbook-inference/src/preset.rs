//! What each make of server takes and how it spells it: the one table of presets.
//!
//! The pages behind each row, and what a person should know of it, are in
//! `docs/guides/providers.md`.

use hornbook_types::limits::STOPS;
use hornbook_types::{EndpointKind, EndpointPreset, EndpointSpec, Sampling};

/// What is known of one make of server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// Where it is found unless the endpoint says otherwise; empty where that cannot be known.
    pub base_url: &'static str,
    /// Field that caps the tokens of an answer.
    pub cap: &'static str,
    /// Bits of a seed that it keeps; none where it takes no seed.
    pub seed_bits: Option<u32>,
    /// Highest temperature that it takes.
    pub temperature_max: f32,
    /// Field for texts that end an answer.
    pub stop: &'static str,
    /// Most such texts that it takes.
    pub stops_max: usize,
    /// Whether such a text may be made of blanks and line ends alone.
    pub has_blank_stops: bool,
    /// Whether `top_p` may stand beside `temperature`.
    pub has_top_p: bool,
    /// Whether it takes a `top_p` of 1, which is off.
    pub has_whole_top_p: bool,
    /// Whether it has `frequency_penalty` and `presence_penalty`.
    pub has_penalties: bool,
    /// Whether it has `logit_bias`.
    pub has_logit_bias: bool,
    /// How `top_k` is spelled, where there is one.
    pub top_k: Option<TopK>,
    /// Field for the repetition penalty, where there is one.
    pub repetition_penalty: Option<&'static str>,
    /// How `min_p` is spelled, where there is one.
    pub min_p: Option<MinP>,
    /// Whether it has `min_tokens`.
    pub has_min_tokens: bool,
    /// Whether it has `stop_loops`, as only a `hornbook engine` has.
    pub has_stop_loops: bool,
    /// How an answer is bound to a JSON schema.
    pub json_schema: Option<JsonSchema>,
    /// What is sent so that prompts which begin alike are computed once.
    pub caching: Caching,
    /// Where an answer says how many tokens of its prompt were found computed; the first path that
    /// it has counts.
    pub cached_tokens: &'static [&'static str],
}

/// How `top_k` says "off".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopK {
    /// Left out.
    Absent,
    /// By this number; left out, the model's or the server's own default would count.
    Is(i32),
}

/// How `min_p` says "off".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinP {
    /// Left out.
    Absent,
    /// By 0; left out, the model's or the server's own default would count.
    Zero,
}

/// How an answer is bound to a JSON schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonSchema {
    /// `response_format: {type: json_schema, json_schema: {name, schema, strict}}`.
    ResponseFormat,
    /// `response_format: {type: json_object, value: SCHEMA}`.
    ResponseFormatValue,
    /// `output_config: {format: {type: json_schema, schema}}`.
    OutputConfig,
}

/// What is sent so that prompts which begin alike are computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Nothing: the server caches prefixes by itself, or not at all.
    Nothing,
    /// `prompt_cache_key`, made from how a long prompt begins.
    PromptCacheKey,
    /// `cache_control` on the system text, which is what prompts share.
    CacheControl,
}

const OPENAI_CACHED: &[&str] = &["/usage/prompt_tokens_details/cached_tokens"];

/// A server of unknown make: what OpenAI defines, in its oldest spelling, which most servers take.
const PLAIN: Preset = Preset {
    base_url: "",
    cap: "max_tokens",
    seed_bits: Some(53),
    temperature_max: 2.0,
    stop: "stop",
    stops_max: STOPS,
    has_blank_stops: true,
    has_top_p: true,
    has_whole_top_p: true,
    has_penalties: true,
    has_logit_bias: true,
    top_k: None,
    repetition_penalty: None,
    min_p: None,
    has_min_tokens: false,
    has_stop_loops: false,
    json_schema: None,
    caching: Caching::Nothing,
    cached_tokens: OPENAI_CACHED,
};

const OPENAI: Preset = Preset {
    base_url: "https://api.openai.com/v1",
    // The models that reason refuse `max_tokens`; every chat model takes this.
    cap: "max_completion_tokens",
    stops_max: 4,
    json_schema: Some(JsonSchema::ResponseFormat),
    caching: Caching::PromptCacheKey,
    ..PLAIN
};

const ANTHROPIC: Preset = Preset {
    base_url: "https://api.anthropic.com/v1",
    cap: "max_tokens",
    seed_bits: None,
    temperature_max: 1.0,
    stop: "stop_sequences",
    has_blank_stops: false,
    // Newer models refuse the two together.
    has_top_p: false,
    has_penalties: false,
    has_logit_bias: false,
    top_k: Some(TopK::Absent),
    json_schema: Some(JsonSchema::OutputConfig),
    caching: Caching::CacheControl,
    cached_tokens: &["/usage/cache_read_input_tokens"],
    ..PLAIN
};

const VLLM: Preset = Preset {
    base_url: "http://127.0.0.1:8000/v1",
    // Left out, the defaults of the model's `generation_config.json` would count; -1 is off to
    // every version, 0 only to newer ones.
    top_k: Some(TopK::Is(-1)),
    repetition_penalty: Some("repetition_penalty"),
    min_p: Some(MinP::Zero),
    has_min_tokens: true,
    json_schema: Some(JsonSchema::ResponseFormat),
    ..PLAIN
};

const SGLANG: Preset = Preset { base_url: "http://127.0.0.1:30000/v1", ..VLLM };

const TGI: Preset = Preset {
    base_url: "http://127.0.0.1:3000/v1",
    // As many as its `--max-stop-sequences` says, which is 4 unless told otherwise.
    stops_max: 4,
    // It wants less than 1.
    has_whole_top_p: false,
    // It reads the field and does nothing with it.
    has_logit_bias: false,
    json_schema: Some(JsonSchema::ResponseFormatValue),
    ..PLAIN
};

const LLAMA_CPP: Preset = Preset {
    base_url: "http://127.0.0.1:8080/v1",
    // 32 bits, of which all ones mean "any".
    seed_bits: Some(31),
    // The server's own defaults are 40 and 0.05.
    top_k: Some(TopK::Is(0)),
    min_p: Some(MinP::Zero),
    repetition_penalty: Some("repeat_penalty"),
    json_schema: Some(JsonSchema::ResponseFormat),
    cached_tokens: &["/usage/prompt_tokens_details/cached_tokens", "/timings/cache_n"],
    ..PLAIN
};

const OLLAMA: Preset = Preset {
    base_url: "http://127.0.0.1:11434/v1",
    seed_bits: Some(31),
    has_logit_bias: false,
    json_schema: Some(JsonSchema::ResponseFormat),
    ..PLAIN
};

const HUGGING_FACE: Preset = Preset {
    base_url: "https://router.huggingface.co/v1",
    stops_max: 4,
    has_logit_bias: false,
    json_schema: Some(JsonSchema::ResponseFormat),
    ..PLAIN
};

const HORNBOOK_ENGINE: Preset = Preset {
    base_url: "http://127.0.0.1:8000/v1",
    seed_bits: Some(64),
    top_k: Some(TopK::Absent),
    repetition_penalty: Some("repetition_penalty"),
    min_p: Some(MinP::Absent),
    has_min_tokens: true,
    has_stop_loops: true,
    ..PLAIN
};

/// The row of a make.
pub const fn of(preset: EndpointPreset) -> &'static Preset {
    match preset {
        EndpointPreset::Openai => &OPENAI,
        EndpointPreset::Anthropic => &ANTHROPIC,
        EndpointPreset::Vllm => &VLLM,
        EndpointPreset::Sglang => &SGLANG,
        EndpointPreset::Tgi => &TGI,
        EndpointPreset::LlamaCpp => &LLAMA_CPP,
        EndpointPreset::Ollama => &OLLAMA,
        EndpointPreset::HuggingFace => &HUGGING_FACE,
        EndpointPreset::HornbookEngine => &HORNBOOK_ENGINE,
    }
}

/// The row of an endpoint that may not say which make it is.
pub const fn row(kind: EndpointKind, preset: Option<EndpointPreset>) -> &'static Preset {
    match (preset, kind) {
        (Some(preset), _) => of(preset),
        (None, EndpointKind::Anthropic) => &ANTHROPIC,
        (None, EndpointKind::OpenaiBatch) => &OPENAI,
        (None, EndpointKind::Openai | EndpointKind::Local) => &PLAIN,
    }
}

/// Whether the endpoint can bind its answers to a JSON schema.
///
/// A server of unknown make can where its option `structured_output` says so.
pub fn has_json_schema(spec: &EndpointSpec) -> bool {
    if spec.kind == EndpointKind::Local {
        return false;
    }
    let told = spec.options.get(STRUCTURED_OUTPUT).and_then(serde_json::Value::as_bool);
    told.unwrap_or(row(spec.kind, spec.preset).json_schema.is_some())
}

/// Why the endpoint would refuse every prompt that is drawn like this, in words that follow its
/// name; none where nothing is known against it.
///
/// What the endpoint's own options replace or take away is not looked at.
pub fn refusal(spec: &EndpointSpec, sampling: &Sampling) -> Option<String> {
    if sampling.response_format.is_some() && !has_json_schema(spec) {
        return Some("cannot keep to /sampling/response_format".to_owned());
    }
    if spec.kind == EndpointKind::Local {
        return None;
    }
    let row = row(spec.kind, spec.preset);
    let is_sent = |field: &str| !spec.options.contains_key(field);
    if is_sent("temperature") && sampling.temperature > row.temperature_max {
        return Some(format!("takes a /sampling/temperature of at most {}", row.temperature_max));
    }
    if is_sent(row.stop) && sampling.stop.len() > row.stops_max {
        return Some(format!("takes at most {} texts in /sampling/stop", row.stops_max));
    }
    let is_blank = |stop: &String| stop.trim().is_empty();
    if is_sent(row.stop) && !row.has_blank_stops && sampling.stop.iter().any(is_blank) {
        return Some("takes no text of blanks alone in /sampling/stop".to_owned());
    }
    None
}

/// Option that says whether a server takes `response_format`.
pub(crate) const STRUCTURED_OUTPUT: &str = "structured_output";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Url;

    #[test]
    fn every_make_has_an_address_and_stands_in_the_guide() {
        let guide = include_str!("../../../docs/guides/providers.md");
        for preset in EndpointPreset::ALL {
            let row = of(preset);
            let url = Url::parse(row.base_url).unwrap();
            assert!(row.base_url.ends_with("/v1") && url.host().is_some(), "{preset:?}");
            let line = format!("| `{}` | {} |", preset.as_str(), row.base_url);
            let told = guide.lines().find(|told| told.starts_with(&line));
            let told = told.unwrap_or_else(|| panic!("the guide lacks {line}"));
            assert!(told.contains(&format!("| `{}` |", row.cap)), "{told}");
        }
    }

    #[test]
    fn what_a_server_would_refuse_is_known_before_it_is_asked() {
        let told = |preset: &str, options: serde_json::Value, sampling: serde_json::Value| {
            let kind = if preset == "anthropic" { "anthropic" } else { "openai" };
            let spec = serde_json::json!({"kind": kind, "preset": preset, "options": options});
            let spec: EndpointSpec = serde_json::from_value(spec).unwrap();
            refusal(&spec, &serde_json::from_value(sampling).unwrap()).unwrap_or_default()
        };
        let none = || serde_json::json!({});
        let hot = || serde_json::json!({"temperature": 1.5});
        assert!(told("anthropic", none(), hot()).contains("at most 1"));
        assert_eq!(told("anthropic", serde_json::json!({"temperature": null}), hot()), "");
        assert_eq!(told("openai", none(), hot()), "");
        let stops = || serde_json::json!({"stop": ["a", "b", "c", "d", "\n\n"]});
        for preset in ["openai", "tgi", "hugging_face"] {
            assert!(told(preset, none(), stops()).contains("at most 4"), "{preset}");
        }
        assert!(told("anthropic", none(), stops()).contains("blanks"));
        assert_eq!(told("vllm", none(), stops()), "");
    }

    #[test]
    fn only_who_can_is_asked_for_a_schema() {
        let spec = |kind: &str, options: serde_json::Value| -> EndpointSpec {
            serde_json::from_value(serde_json::json!({"kind": kind, "options": options})).unwrap()
        };
        let none = serde_json::json!({});
        assert!(!has_json_schema(&spec("openai", none.clone())));
        assert!(has_json_schema(&spec("anthropic", none.clone())));
        assert!(!has_json_schema(&spec("local", serde_json::json!({"structured_output": true}))));
        for told in [true, false] {
            let options = serde_json::json!({"structured_output": told});
            assert_eq!(has_json_schema(&spec("openai", options)), told);
        }
    }
}
