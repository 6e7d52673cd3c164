//! A prompt as the body of a request.

use hornbook_types::{ResponseFormat, Sampling, mix};
use serde_json::{Map, Number, Value, json};

use super::options::Options;
use crate::preset::{Caching, JsonSchema, MinP, Preset, TopK};
use crate::{ChatMessage, CompletionRequest};

/// Beginning of a prompt that counts for `prompt_cache_key`: about the 1,024 tokens that OpenAI
/// keeps at the least; shorter prompts are not cached at all.
const CACHE_PREFIX_BYTES: usize = 4_096;

/// The JSON body of one request.
pub(crate) fn body(
    model: &str,
    options: &Options,
    request: &CompletionRequest,
    messages: &[ChatMessage],
) -> Value {
    let (sampling, row) = (&request.sampling, &options.row);
    let turns: Vec<Value> = messages
        .iter()
        .map(|message| json!({"role": message.role, "content": message.content}))
        .collect();
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("messages".into(), turns.into());
    body.insert("temperature".into(), decimal(sampling.temperature));
    if row.has_whole_top_p || sampling.top_p < 1.0 {
        body.insert("top_p".into(), decimal(sampling.top_p));
    }
    body.insert(row.cap.into(), sampling.max_tokens.into());
    if let Some(bits) = row.seed_bits {
        body.insert("seed".into(), seed(request.seed, bits).into());
    }
    add_unusual(&mut body, sampling, row);
    add_extra(&mut body, sampling, row);
    if row.has_stop_loops {
        body.insert("stop_loops".into(), sampling.stop_loops.into());
    }
    if let (Some(format), Some(spelling)) = (&sampling.response_format, row.json_schema) {
        body.insert("response_format".into(), response_format(format, spelling));
    }
    if row.caching == Caching::PromptCacheKey
        && let Some(key) = prompt_cache_key(messages)
    {
        body.insert("prompt_cache_key".into(), key.into());
    }
    merge(&mut body, &options.body);
    body.into()
}

/// Puts the endpoint's own fields into a body; `null` takes a field away.
pub(crate) fn merge(body: &mut Map<String, Value>, own: &Map<String, Value>) {
    for (name, value) in own {
        if value.is_null() {
            body.remove(name);
        } else {
            body.insert(name.clone(), value.clone());
        }
    }
}

/// The lowest bits of a seed: as many as the server keeps exactly.
fn seed(seed: u64, bits: u32) -> u64 {
    seed & (u64::MAX >> (u64::BITS - bits.clamp(1, u64::BITS)))
}

/// Fields that OpenAI defines and that are left out where they would change nothing, because not
/// every server takes all of them.
fn add_unusual(body: &mut Map<String, Value>, sampling: &Sampling, row: &Preset) {
    if row.has_penalties && sampling.frequency_penalty != 0.0 {
        body.insert("frequency_penalty".into(), decimal(sampling.frequency_penalty));
    }
    if row.has_penalties && sampling.presence_penalty != 0.0 {
        body.insert("presence_penalty".into(), decimal(sampling.presence_penalty));
    }
    if !sampling.stop.is_empty() {
        body.insert(row.stop.into(), sampling.stop.clone().into());
    }
    if row.has_logit_bias && !sampling.logit_bias.is_empty() {
        let biases = sampling.logit_bias.iter();
        let biases: Map<_, _> =
            biases.map(|(token, bias)| (token.to_string(), decimal(*bias))).collect();
        body.insert("logit_bias".into(), biases.into());
    }
}

/// Fields that OpenAI does not have.
fn add_extra(body: &mut Map<String, Value>, sampling: &Sampling, row: &Preset) {
    // 0 means "off" to us and "none at all" to some servers.
    match row.top_k {
        Some(_) if sampling.top_k > 0 => {
            body.insert("top_k".into(), sampling.top_k.into());
        }
        Some(TopK::Is(off)) => {
            body.insert("top_k".into(), off.into());
        }
        Some(TopK::Absent) | None => {}
    }
    if let Some(field) = row.repetition_penalty {
        body.insert(field.into(), decimal(sampling.repetition_penalty));
    }
    if row.min_p == Some(MinP::Zero) || (row.min_p.is_some() && sampling.min_p > 0.0) {
        body.insert("min_p".into(), decimal(sampling.min_p));
    }
    if row.has_min_tokens && sampling.min_tokens > 0 {
        body.insert("min_tokens".into(), sampling.min_tokens.into());
    }
}

fn response_format(format: &ResponseFormat, spelling: JsonSchema) -> Value {
    match spelling {
        JsonSchema::ResponseFormatValue => {
            json!({"type": "json_object", "value": format.schema().schema})
        }
        JsonSchema::ResponseFormat | JsonSchema::OutputConfig => json!(format),
    }
}

/// The same key for prompts that begin alike, so that one machine of many sees them all.
fn prompt_cache_key(messages: &[ChatMessage]) -> Option<String> {
    let mut bytes = messages.iter().flat_map(|message| message.content.bytes());
    let (mut key, mut words) = (0, 0);
    while let (Some(word), true) = (next_word(&mut bytes), words < CACHE_PREFIX_BYTES / 8) {
        key = mix(key, word);
        words += 1;
    }
    (words == CACHE_PREFIX_BYTES / 8).then(|| format!("{key:016x}"))
}

fn next_word(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut word = 0;
    for _ in 0..8 {
        word = (word << 8) | u64::from(bytes.next()?);
    }
    Some(word)
}

/// The number as people wrote it: 0.6, not the 0.6000000238418579 that widening makes of it.
pub(crate) fn decimal(number: f32) -> Value {
    let shortest = number.to_string().parse().ok().and_then(Number::from_f64);
    shortest.map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use hornbook_types::{EndpointKind, EndpointPreset, Sampling};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Input, preset};

    fn options(given: Value) -> Options {
        let row = preset::row(EndpointKind::Openai, None);
        Options::parse(given.as_object().unwrap(), row).unwrap()
    }

    fn request() -> CompletionRequest {
        CompletionRequest {
            input: Input::user("Why?"),
            logprobs: None,
            sampling: Sampling::default(),
            seed: u64::MAX,
            cancel: CancellationToken::new(),
        }
    }

    fn messages() -> Vec<ChatMessage> {
        vec![ChatMessage { role: "user".into(), content: "Why?".into() }]
    }

    #[test]
    fn sends_only_standard_fields_by_default() {
        let body = body("m", &options(json!({})), &request(), &messages());
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0.6,
            "top_p": 0.95, "max_tokens": 2500, "seed": 9_007_199_254_740_991_u64
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn everything_that_draws_is_sent_where_it_is_understood() {
        let mut asked = request();
        asked.sampling = Sampling {
            frequency_penalty: 0.5,
            presence_penalty: -0.1,
            stop: vec!["END".to_owned()],
            logit_bias: [(7, -100.0)].into(),
            min_p: 0.05,
            min_tokens: 3,
            ..Sampling::default()
        };
        let sent = |given: Value| body("m", &options(given), &asked, &messages());
        let plain = sent(json!({}));
        assert_eq!(plain["frequency_penalty"], json!(0.5));
        assert_eq!(plain["presence_penalty"], json!(-0.1));
        assert_eq!(
            (&plain["stop"], &plain["logit_bias"]),
            (&json!(["END"]), &json!({"7": -100.0}))
        );
        let unknown_to_openai = ["top_k", "repetition_penalty", "min_p", "min_tokens"];
        assert!(unknown_to_openai.iter().all(|name| plain.get(name).is_none()), "{plain}");
        let extra = sent(json!({"extra_sampling": true}));
        assert_eq!((&extra["min_p"], &extra["min_tokens"]), (&json!(0.05), &json!(3)));
        assert_eq!((extra.get("stop_loops"), &extra["seed"]), (None, &plain["seed"]));
        let ours = sent(json!({"hornbook_engine": true}));
        assert_eq!((&ours["stop_loops"], &ours["seed"]), (&json!(true), &json!(u64::MAX)));
        assert!(unknown_to_openai.iter().all(|name| ours[name] == extra[name]), "{ours}");
    }

    #[test]
    fn options_add_replace_and_take_away() {
        let given = json!({
            "extra_sampling": true, "max_tokens": null, "max_completion_tokens": 9, "top_p": 1
        });
        let body = body("m", &options(given), &request(), &messages());
        assert_eq!(body["top_k"], 50);
        assert_eq!(body["repetition_penalty"], json!(1.2));
        assert_eq!(body["max_completion_tokens"], 9);
        assert_eq!(body["top_p"], 1);
        assert_eq!(body.get("max_tokens"), None);
    }

    /// What a make is sent for a job that sets everything, without what all are sent.
    fn sent_to(preset: EndpointPreset, sampling: &Sampling) -> Value {
        let options = Options::parse(&Map::new(), preset::of(preset)).unwrap();
        let asked = CompletionRequest { sampling: sampling.clone(), ..request() };
        let mut body = body("m", &options, &asked, &messages());
        for same in ["model", "messages", "temperature", "top_p", "stop"] {
            assert!(body.as_object_mut().unwrap().remove(same).is_some(), "{same}");
        }
        body
    }

    #[test]
    fn every_make_is_sent_what_it_takes_as_it_spells_it() {
        let everything = Sampling {
            max_tokens: 9,
            stop: vec!["END".to_owned()],
            logit_bias: [(7, 1.0)].into(),
            top_k: 3,
            min_p: 0.5,
            min_tokens: 2,
            presence_penalty: 1.0,
            ..Sampling::default()
        };
        let bits = |bits: u32| u64::MAX >> (64 - bits);
        let cases = [
            (
                EndpointPreset::Openai,
                json!({"max_completion_tokens": 9, "seed": bits(53), "presence_penalty": 1.0,
                       "logit_bias": {"7": 1.0}}),
            ),
            (
                EndpointPreset::Vllm,
                json!({"max_tokens": 9, "seed": bits(53), "presence_penalty": 1.0,
                       "logit_bias": {"7": 1.0}, "top_k": 3, "repetition_penalty": 1.2,
                       "min_p": 0.5, "min_tokens": 2}),
            ),
            (
                EndpointPreset::Tgi,
                json!({"max_tokens": 9, "seed": bits(53), "presence_penalty": 1.0}),
            ),
            (
                EndpointPreset::LlamaCpp,
                json!({"max_tokens": 9, "seed": bits(31), "presence_penalty": 1.0,
                       "logit_bias": {"7": 1.0}, "top_k": 3, "repeat_penalty": 1.2,
                       "min_p": 0.5}),
            ),
            (
                EndpointPreset::Ollama,
                json!({"max_tokens": 9, "seed": bits(31), "presence_penalty": 1.0}),
            ),
            (
                EndpointPreset::HuggingFace,
                json!({"max_tokens": 9, "seed": bits(53), "presence_penalty": 1.0}),
            ),
            (
                EndpointPreset::HornbookEngine,
                json!({"max_tokens": 9, "seed": u64::MAX, "presence_penalty": 1.0,
                       "logit_bias": {"7": 1.0}, "top_k": 3, "repetition_penalty": 1.2,
                       "min_p": 0.5, "min_tokens": 2, "stop_loops": true}),
            ),
        ];
        for (preset, expected) in cases {
            assert_eq!(sent_to(preset, &everything), expected, "{preset:?}");
        }
        assert_eq!(
            sent_to(EndpointPreset::Sglang, &everything),
            sent_to(EndpointPreset::Vllm, &everything)
        );
        let off = Sampling { top_k: 0, min_p: 0.0, min_tokens: 0, top_p: 1.0, ..everything };
        let options = Options::parse(&Map::new(), preset::of(EndpointPreset::Tgi)).unwrap();
        let asked = CompletionRequest { sampling: off.clone(), ..request() };
        let tgi = body("m", &options, &asked, &messages());
        assert_eq!(tgi.get("top_p"), None, "it refuses 1");
        let said = |preset| {
            let body = sent_to(preset, &off);
            (body.get("top_k").cloned(), body.get("min_p").cloned())
        };
        assert_eq!(said(EndpointPreset::Vllm), (Some(json!(-1)), Some(json!(0.0))));
        assert_eq!(said(EndpointPreset::LlamaCpp), (Some(json!(0)), Some(json!(0.0))));
        assert_eq!(said(EndpointPreset::HornbookEngine), (None, None));
    }

    #[test]
    fn a_schema_is_spelled_as_the_server_has_it() {
        let schema = json!({"type": "object", "required": ["q"]});
        let format = json!({
            "type": "json_schema",
            "json_schema": {"name": "quiz", "schema": schema, "strict": true}
        });
        let sampling = Sampling {
            response_format: Some(serde_json::from_value(format.clone()).unwrap()),
            stop: vec!["x".to_owned()],
            ..Sampling::default()
        };
        let sent = |preset| sent_to(preset, &sampling).get("response_format").cloned();
        for preset in [EndpointPreset::Openai, EndpointPreset::Vllm, EndpointPreset::Ollama] {
            assert_eq!(sent(preset), Some(format.clone()), "{preset:?}");
        }
        let tgi = json!({"type": "json_object", "value": schema});
        assert_eq!(sent(EndpointPreset::Tgi), Some(tgi));
        assert_eq!(sent(EndpointPreset::HornbookEngine), None);
    }

    #[test]
    fn long_prompts_that_begin_alike_share_a_cache_key() {
        let key = |parts: &[&str]| {
            let messages = parts
                .iter()
                .map(|part| ChatMessage { role: "user".into(), content: (*part).to_owned() });
            prompt_cache_key(&messages.collect::<Vec<_>>())
        };
        let start = "x".repeat(CACHE_PREFIX_BYTES);
        assert_eq!(key(&[&start[1..]]), None, "too short to be kept");
        let first = key(&[&start]).unwrap();
        assert_eq!(key(&[&format!("{start} and an end")]).unwrap(), first);
        assert_eq!(key(&[&start[..100], &start[100..]]).unwrap(), first);
        assert_ne!(key(&[&format!("y{start}")]).unwrap(), first);
        assert_eq!(first.len(), 16);
    }
}
