//! A prompt as the body of a request to `/messages`.

use serde_json::{Map, Value, json};

use crate::openai::{Options, decimal, merge};
use crate::preset::{Caching, JsonSchema};
use crate::{ChatMessage, CompletionRequest};

/// The JSON body of one request.
pub(crate) fn body(
    model: &str,
    options: &Options,
    request: &CompletionRequest,
    messages: &[ChatMessage],
) -> Value {
    let (sampling, row) = (&request.sampling, &options.row);
    let (system, turns): (Vec<&ChatMessage>, Vec<&ChatMessage>) =
        messages.iter().partition(|message| message.role == "system");
    let turns: Vec<Value> = turns
        .iter()
        .map(|message| json!({"role": message.role, "content": message.content}))
        .collect();
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert(row.cap.into(), sampling.max_tokens.into());
    if let Some(system) = system_blocks(&system, row.caching) {
        body.insert("system".into(), system);
    }
    body.insert("messages".into(), turns.into());
    body.insert("temperature".into(), decimal(sampling.temperature));
    if row.has_top_p {
        body.insert("top_p".into(), decimal(sampling.top_p));
    }
    if row.top_k.is_some() && sampling.top_k > 0 {
        body.insert("top_k".into(), sampling.top_k.into());
    }
    if !sampling.stop.is_empty() {
        body.insert(row.stop.into(), sampling.stop.clone().into());
    }
    if let (Some(format), Some(JsonSchema::OutputConfig)) =
        (&sampling.response_format, row.json_schema)
    {
        let schema = &format.schema().schema;
        let format = json!({"format": {"type": "json_schema", "schema": schema}});
        body.insert("output_config".into(), format);
    }
    merge(&mut body, &options.body);
    body.into()
}

/// The system text, marked as worth keeping: it is what prompts share. A job's prompts have none;
/// marking the prompt itself would pay a quarter more for something that never comes again.
fn system_blocks(system: &[&ChatMessage], caching: Caching) -> Option<Value> {
    let mut blocks: Vec<Value> = system
        .iter()
        .filter(|message| !message.content.is_empty())
        .map(|message| json!({"type": "text", "text": message.content}))
        .collect();
    let last = blocks.last_mut()?;
    if caching == Caching::CacheControl {
        last["cache_control"] = json!({"type": "ephemeral"});
    }
    Some(blocks.into())
}

#[cfg(test)]
mod tests {
    use hornbook_types::{EndpointPreset, Sampling};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Input, preset};

    fn sent(given: Value, sampling: Sampling, turns: &[(&str, &str)]) -> Value {
        let row = preset::of(EndpointPreset::Anthropic);
        let options = Options::parse(given.as_object().unwrap(), row).unwrap();
        let messages: Vec<ChatMessage> = turns
            .iter()
            .map(|(role, content)| ChatMessage {
                role: (*role).to_owned(),
                content: (*content).to_owned(),
            })
            .collect();
        let request = CompletionRequest {
            input: Input::Messages(messages.clone()),
            logprobs: None,
            sampling,
            seed: 7,
            cancel: CancellationToken::new(),
        };
        body("claude", &options, &request, &messages)
    }

    #[test]
    fn sends_what_the_protocol_has_and_nothing_else() {
        let everything = Sampling {
            max_tokens: 9,
            frequency_penalty: 1.0,
            presence_penalty: 1.0,
            logit_bias: [(1, 1.0)].into(),
            min_p: 0.5,
            min_tokens: 2,
            stop: vec!["END".to_owned()],
            ..Sampling::default()
        };
        let expected = json!({
            "model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Why?"}],
            "temperature": 0.6, "top_k": 50, "stop_sequences": ["END"]
        });
        assert_eq!(sent(json!({}), everything, &[("user", "Why?")]), expected);
        let none = json!({"temperature": null, "top_k": null, "top_p": 0.9});
        let body = sent(none, Sampling::default(), &[("user", "Why?")]);
        assert_eq!((body.get("temperature"), body.get("top_k")), (None, None));
        assert_eq!(body["top_p"], 0.9);
    }

    #[test]
    fn the_system_text_stands_apart_and_is_kept() {
        let turns = [("system", "Be brief."), ("user", "Why?"), ("assistant", "So.")];
        let body = sent(json!({}), Sampling::default(), &turns);
        let system = json!([{
            "type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}
        }]);
        assert_eq!(body["system"], system);
        assert_eq!(body["messages"].as_array().unwrap().len(), 2);
        let body = sent(json!({}), Sampling::default(), &[("system", ""), ("user", "Why?")]);
        assert_eq!(body.get("system"), None, "an empty block is refused");
    }

    #[test]
    fn a_schema_goes_into_the_output_config() {
        let format = json!({
            "type": "json_schema", "json_schema": {"name": "q", "schema": {"type": "object"}}
        });
        let sampling = Sampling {
            response_format: Some(serde_json::from_value(format).unwrap()),
            ..Sampling::default()
        };
        let body = sent(json!({}), sampling, &[("user", "Why?")]);
        let expected = json!({"format": {"type": "json_schema", "schema": {"type": "object"}}});
        assert_eq!(body["output_config"], expected);
        assert_eq!(body.get("response_format"), None);
    }
}
