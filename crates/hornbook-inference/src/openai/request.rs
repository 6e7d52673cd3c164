//! A prompt as the body of a request.

use hornbook_types::Sampling;
use serde_json::{Map, Number, Value, json};

use super::options::Options;
use crate::{ChatMessage, CompletionRequest};

/// Seeds are cut to this many bits, which every JSON reader keeps exactly, unless the reader is
/// known to keep more.
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
    let seed_mask = if options.hornbook_engine { u64::MAX } else { (1 << SEED_BITS) - 1 };
    body.insert("seed".into(), (request.seed & seed_mask).into());
    add_unusual(&mut body, sampling);
    if options.extra_sampling || options.hornbook_engine {
        add_extra(&mut body, sampling);
    }
    if options.hornbook_engine {
        body.insert("stop_loops".into(), sampling.stop_loops.into());
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

/// Fields that OpenAI defines and that are left out where they would change nothing, because not
/// every server takes all of them.
fn add_unusual(body: &mut Map<String, Value>, sampling: &Sampling) {
    if sampling.frequency_penalty != 0.0 {
        body.insert("frequency_penalty".into(), decimal(sampling.frequency_penalty));
    }
    if sampling.presence_penalty != 0.0 {
        body.insert("presence_penalty".into(), decimal(sampling.presence_penalty));
    }
    if !sampling.stop.is_empty() {
        body.insert("stop".into(), sampling.stop.clone().into());
    }
    if !sampling.logit_bias.is_empty() {
        let biases = sampling.logit_bias.iter();
        let biases: Map<_, _> =
            biases.map(|(token, bias)| (token.to_string(), decimal(*bias))).collect();
        body.insert("logit_bias".into(), biases.into());
    }
}

/// Fields that OpenAI does not have.
fn add_extra(body: &mut Map<String, Value>, sampling: &Sampling) {
    // 0 means "off" to us and "none at all" to some servers; leaving it out is off to all.
    if sampling.top_k > 0 {
        body.insert("top_k".into(), sampling.top_k.into());
    }
    body.insert("repetition_penalty".into(), decimal(sampling.repetition_penalty));
    if sampling.min_p > 0.0 {
        body.insert("min_p".into(), decimal(sampling.min_p));
    }
    if sampling.min_tokens > 0 {
        body.insert("min_tokens".into(), sampling.min_tokens.into());
    }
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
        let sent = |options: Value| {
            let options = Options::parse(options.as_object().unwrap()).unwrap();
            body("m", &options, &asked, &messages())
        };
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
        let options = Options::parse(given.as_object().unwrap()).unwrap();
        let body = body("m", &options, &request(), &messages());
        assert_eq!(body["top_k"], 50);
        assert_eq!(body["repetition_penalty"], json!(1.2));
        assert_eq!(body["max_completion_tokens"], 9);
        assert_eq!(body["top_p"], 1);
        assert_eq!(body.get("max_tokens"), None);
    }
}
