//! What Anthropic's Messages API refuses, as its reference tells it, with the words that it uses.

use serde_json::{Value, json};

use crate::support::{KEY, Reply, Seen, http, ok};

const FIELDS: [&str; 17] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "metadata",
    "service_tier",
    "thinking",
    "tools",
    "tool_choice",
    "container",
    "context_management",
    "output_config",
];

/// An answer to a request that keeps to the rules, and the API's error to any other.
pub(crate) fn judge(seen: &Seen) -> Reply {
    let head = seen.head.to_ascii_lowercase();
    let has = |header: &str| head.lines().any(|line| line == header);
    let refuse = |status, kind: &str, message: &str| {
        let error = json!({"type": "error", "error": {"type": kind, "message": message}});
        http(status, &[("content-type", "application/json")], &error.to_string())
    };
    if !head.starts_with("post /v1/messages http/1.1") {
        return refuse(404, "not_found_error", "Not found");
    }
    if !has(&format!("x-api-key: {KEY}")) {
        return refuse(401, "authentication_error", "x-api-key header is required");
    }
    if !has("anthropic-version: 2023-06-01") {
        return refuse(400, "invalid_request_error", "anthropic-version: header is required");
    }
    if !has("content-type: application/json") {
        return refuse(400, "invalid_request_error", "content-type must be application/json");
    }
    match fault(&seen.body) {
        Some(message) => refuse(400, "invalid_request_error", &message),
        None => ok(json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": seen.body["model"],
            "content": [{"type": "text", "text": "fine"}], "stop_reason": "end_turn",
            "stop_sequence": null, "usage": {"input_tokens": 7, "output_tokens": 3}
        })),
    }
}

/// The first rule that a body breaks.
pub(crate) fn fault(body: &Value) -> Option<String> {
    let fields = body.as_object()?;
    if let Some(odd) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        return Some(format!("{odd}: Extra inputs are not permitted"));
    }
    let missing = |field: &&&str| fields.get(**field).is_none_or(Value::is_null);
    if let Some(field) = ["model", "max_tokens", "messages"].iter().find(missing) {
        return Some(format!("{field}: Field required"));
    }
    if body["max_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
        return Some("max_tokens: must be greater than or equal to 1".to_owned());
    }
    let number = |field: &str| fields.get(field).map(|value| value.as_f64().unwrap_or(-1.0));
    for field in ["temperature", "top_p"] {
        if number(field).is_some_and(|number| !(0.0..=1.0).contains(&number)) {
            return Some(format!("{field}: range: 0..1"));
        }
    }
    if number("temperature").is_some() && number("top_p").is_some() {
        let both = "`temperature` and `top_p` cannot both be specified for this model";
        return Some(both.to_owned());
    }
    if fields.get("top_k").is_some_and(|top_k| top_k.as_u64().is_none_or(|top_k| top_k == 0)) {
        return Some("top_k: must be a positive integer".to_owned());
    }
    let stops = fields.get("stop_sequences").map(|stops| stops.as_array().unwrap());
    if stops.into_iter().flatten().any(is_blank) {
        return Some("stop_sequences: each stop sequence must contain non-whitespace".to_owned());
    }
    turns_fault(&body["messages"])
        .or_else(|| system_fault(fields.get("system")?))
        .or_else(|| output_fault(fields.get("output_config")?))
}

fn is_blank(text: &Value) -> bool {
    text.as_str().is_none_or(|text| text.trim().is_empty())
}

fn turns_fault(turns: &Value) -> Option<String> {
    let turns = turns.as_array().filter(|turns| !turns.is_empty());
    let Some(turns) = turns else {
        return Some("messages: at least one message is required".to_owned());
    };
    if turns[0]["role"] != "user" {
        return Some("messages: first message must use the \"user\" role".to_owned());
    }
    for (at, turn) in turns.iter().enumerate() {
        if !matches!(turn["role"].as_str(), Some("user" | "assistant")) {
            return Some(format!("messages.{at}.role: Input should be 'user' or 'assistant'"));
        }
        if is_blank(&turn["content"]) {
            return Some("messages: text content blocks must contain non-whitespace text".into());
        }
        if turn.as_object().is_some_and(|turn| turn.len() != 2) {
            return Some(format!("messages.{at}: Extra inputs are not permitted"));
        }
    }
    None
}

fn system_fault(system: &Value) -> Option<String> {
    for (at, block) in system.as_array()?.iter().enumerate() {
        if block["type"] != "text" || block["text"].as_str().is_none_or(str::is_empty) {
            return Some(format!("system.{at}: text content blocks must be non-empty"));
        }
        if block.get("cache_control").is_some_and(|mark| mark["type"] != "ephemeral") {
            return Some(format!("system.{at}.cache_control.type: should be 'ephemeral'"));
        }
    }
    None
}

fn output_fault(config: &Value) -> Option<String> {
    let format = &config["format"];
    if format["type"] != "json_schema" || !format["schema"].is_object() {
        return Some("output_config.format: needs a json_schema with its schema".to_owned());
    }
    if format.as_object().is_some_and(|format| format.len() != 2) {
        return Some("output_config.format: Extra inputs are not permitted".to_owned());
    }
    let schema = &format["schema"];
    let is_open = schema["type"] == "object" && schema["additionalProperties"] != false;
    let open = "output_config.format.schema: 'additionalProperties' must be set to false";
    is_open.then(|| open.to_owned())
}
