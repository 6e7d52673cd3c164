//! A prompt as the body of a request.

use serde_json::{Map, Number, Value, json};

use super::options::Options;
use crate::{ChatMessage, CompletionRequest};

/// Seeds are cut to this many bits: what every JSON reader keeps exactly.
const SEED_BITS: u32 = 53;

/// The JSON body of one request.
pub(super) fn body(
    model: &str,
    options: &Options,
    request: &CompletionRequest,
    messages: &[ChatMessage],
) -> Value {
    let sampling = &request.sampling;
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| json!({"role": message.role, "content": message.content}))
        .collect();
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("messages".into(), messages.into());
    body.insert("temperature".into(), decimal(sampling.temperature));
    body.insert("top_p".into(), decimal(sampling.top_p));
    body.insert("max_tokens".into(), sampling.max_tokens.into());
    body.insert("seed".into(), (request.seed & ((1 << SEED_BITS) - 1)).into());
    if options.extra_sampling {
        // 0 means "off" to us and "none at all" to some servers; leaving it out is off to all.
        if sampling.top_k > 0 {
            body.insert("top_k".into(), sampling.top_k.into());
        }
        body.insert("repetition_penalty".into(), decimal(sampling.repetition_penalty));
    }
    for (name, value) in &options.body {
        if value.is_null() {
            body.remove(name);
        } else {
            body.insert(name.clone(), value.clone());
        }
    }
    body.into()
}

/// The number as people wrote it: 0.6, not the 0.6000000238418579 that widening makes of it.
fn decimal(number: f32) -> Value {
    let shortest = number.to_string().parse().ok().and_then(Number::from_f64);
    shortest.map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use hornbook_types::Sampling;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::Input;

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
        let body = body("m", &Options::default(), &request(), &messages());
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0.6,
            "top_p": 0.95, "max_tokens": 2500, "seed": 9_007_199_254_740_991_u64
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn options_add_replace_and_take_away() {
        let given = json!({
            "extra_sampling": true, "max_tokens": null, "max_completion_tokens": 9, "top_p": 1
        });
        let options = Options::parse(given.as_object().unwrap()).unwrap();
        let body = body("m", &options, &request(), &messages());
        assert_eq!(body["top_k"], 50);
        assert_eq!(body["repetition_penalty"], json!(1.2));
        assert_eq!(body["max_completion_tokens"], 9);
        assert_eq!(body["top_p"], 1);
        assert_eq!(body.get("max_tokens"), None);
    }
}
