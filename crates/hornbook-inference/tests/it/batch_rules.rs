//! What OpenAI's files, batches and chat completions refuse, as the reference tells it.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

/// Most requests in one batch.
const REQUESTS: usize = 50_000;
/// Longest file of requests, in bytes.
const FILE_BYTES: usize = 200 * 1_000 * 1_000;
/// Longest `custom_id`.
const CUSTOM_ID_BYTES: usize = 64;
/// Fields of a chat completion that text prompts may use.
const CHAT_FIELDS: [&str; 22] = [
    "model",
    "messages",
    "temperature",
    "top_p",
    "max_completion_tokens",
    "max_tokens",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
    "response_format",
    "prompt_cache_key",
    "reasoning_effort",
    "service_tier",
    "store",
    "metadata",
    "user",
    "safety_identifier",
];

/// An error as the API spells it.
pub(crate) fn error(code: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
}

/// The file in an upload, if the upload keeps to the rules.
pub(crate) fn uploaded(head: &str, body: &str) -> Result<String, String> {
    let boundary = head
        .lines()
        .find_map(|line| line.strip_prefix("content-type: multipart/form-data; boundary="))
        .ok_or("the upload is no form")?;
    let inner = body
        .strip_prefix(&format!("--{boundary}\r\n"))
        .and_then(|body| body.trim_end().strip_suffix(&format!("\r\n--{boundary}--")))
        .ok_or("the form has no beginning or no end")?;
    let (mut purpose, mut file) = (None, None);
    for part in inner.split(&format!("\r\n--{boundary}\r\n")) {
        let (head, content) = part.split_once("\r\n\r\n").ok_or("a part has no head")?;
        let head = head.replace("Content-Disposition", "content-disposition");
        if head.contains("name=\"purpose\"") {
            purpose = Some(content);
        } else if head.contains("name=\"file\"") && head.contains(".jsonl\"") {
            file = Some(content);
        } else {
            return Err(format!("what is this? {head}"));
        }
    }
    if purpose != Some("batch") {
        return Err("'purpose' must be 'batch'".to_owned());
    }
    let file = file.ok_or("'file' is a required property")?;
    if file.len() > FILE_BYTES {
        return Err("the file is over 200 MB".to_owned());
    }
    Ok(file.to_owned())
}

/// What is wrong with a request to make a batch.
pub(crate) fn create_fault(asked: &Value) -> Option<String> {
    let fields = asked.as_object()?;
    let known =
        ["input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"];
    if let Some(odd) = fields.keys().find(|field| !known.contains(&field.as_str())) {
        return Some(format!("Unknown parameter: '{odd}'."));
    }
    if asked["endpoint"] != "/v1/chat/completions" {
        return Some("Invalid value for 'endpoint'.".to_owned());
    }
    if asked["completion_window"] != "24h" {
        return Some("Invalid value for 'completion_window': supported is '24h'.".to_owned());
    }
    let metadata = fields.get("metadata").and_then(Value::as_object);
    let is_small = |(key, value): (&String, &Value)| {
        key.len() <= 64 && value.as_str().is_some_and(|value| value.len() <= 512)
    };
    let fits = metadata.is_none_or(|pairs| pairs.len() <= 16 && pairs.iter().all(is_small));
    (!fits).then(|| "Invalid 'metadata'.".to_owned())
}

/// The requests in a file, or what its validation says of it, as in the batch's `errors`.
pub(crate) fn requests(file: &str) -> Result<Vec<Value>, Value> {
    let fault = |line: usize, code: &str, message: &str| json!([{"code": code, "message": message, "param": null, "line": line + 1}]);
    let (mut lines, mut ids, mut models) = (Vec::new(), HashSet::new(), BTreeSet::new());
    for (at, text) in file.lines().enumerate() {
        let Ok(line) = serde_json::from_str::<Value>(text) else {
            return Err(fault(
                at,
                "invalid_json_line",
                "This line is not parseable as valid JSON.",
            ));
        };
        let names: BTreeSet<&str> =
            line.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        if names != BTreeSet::from(["body", "custom_id", "method", "url"]) {
            return Err(fault(at, "invalid_request", "The line has other fields than it may."));
        }
        let id = line["custom_id"].as_str().unwrap_or_default().to_owned();
        if !(1..=CUSTOM_ID_BYTES).contains(&id.len()) {
            return Err(fault(at, "invalid_custom_id", "Invalid 'custom_id'."));
        }
        if !ids.insert(id) {
            return Err(fault(at, "duplicate_custom_id", "The custom_id is not unique."));
        }
        if line["method"] != "POST" || line["url"] != "/v1/chat/completions" {
            return Err(fault(at, "mismatched_endpoint", "The URL does not match the batch's."));
        }
        models.insert(line["body"]["model"].as_str().unwrap_or_default().to_owned());
        if models.len() > 1 {
            return Err(fault(at, "mismatched_model", "A batch has one model."));
        }
        lines.push(line);
    }
    if lines.is_empty() || lines.len() > REQUESTS {
        return Err(fault(0, "invalid_file", "The file has no requests or more than 50,000."));
    }
    Ok(lines)
}

/// What is wrong with the body of a chat completion.
pub(crate) fn chat_fault(body: &Value) -> Option<String> {
    let fields = body.as_object()?;
    if let Some(odd) = fields.keys().find(|field| !CHAT_FIELDS.contains(&field.as_str())) {
        return Some(format!("Unrecognized request argument supplied: {odd}"));
    }
    if fields.contains_key("max_tokens") && fields.contains_key("max_completion_tokens") {
        return Some("Setting 'max_tokens' and 'max_completion_tokens' is not supported".into());
    }
    let turns = body["messages"].as_array().map_or(0, Vec::len);
    if turns == 0 {
        return Some("Invalid 'messages': empty array.".to_owned());
    }
    let ranges = [("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0), ("frequency_penalty", -2.0, 2.0)];
    for (field, low, high) in ranges {
        let number = fields.get(field).map(|number| number.as_f64().unwrap_or(f64::NAN));
        if number.is_some_and(|number| !(low..=high).contains(&number)) {
            return Some(format!("Invalid '{field}'"));
        }
    }
    if fields.get("seed").is_some_and(|seed| seed.as_i64().is_none()) {
        return Some("Invalid 'seed': expected a 64-bit integer".to_owned());
    }
    if fields.get("stop").and_then(Value::as_array).is_some_and(|stops| stops.len() > 4) {
        return Some("Invalid 'stop': array too long. Expected at most 4".to_owned());
    }
    let key = fields.get("prompt_cache_key").map(|key| key.as_str().map_or(99, str::len));
    key.is_some_and(|bytes| bytes > 64).then(|| "Invalid 'prompt_cache_key'".to_owned())
}
