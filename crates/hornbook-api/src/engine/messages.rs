//! The conversation of a chat completion.

use hornbook_inference::{ChatMessage, Input};
use serde_json::Value;

use super::fault::Fault;
use super::fields::Fields;
use super::limits::MESSAGES;

/// Takes the conversation that is to be continued.
pub(super) fn take(fields: &mut Fields) -> Result<Input, Fault> {
    let Some(Value::Array(messages)) = fields.value("messages") else {
        return Err(Fault::value("messages", "must be a list of messages"));
    };
    if !(1..=MESSAGES).contains(&messages.len()) {
        return Err(Fault::value("messages", format!("must be 1 to {MESSAGES} messages")));
    }
    let messages = messages.into_iter().enumerate();
    messages
        .map(|(index, message)| read(&format!("messages[{index}]"), message))
        .collect::<Result<_, _>>()
        .map(Input::Messages)
}

fn read(at: &str, message: Value) -> Result<ChatMessage, Fault> {
    let Value::Object(message) = message else {
        return Err(Fault::value(at, "must be an object with role and content"));
    };
    let mut message = Fields::of(message);
    let role = role(at, message.value("role").as_ref())?;
    let content = match message.value("content") {
        Some(content) => text(&format!("{at}.content"), content)?,
        None => return Err(Fault::value(format!("{at}.content"), "must be text")),
    };
    // Lists of nothing are what clients copy from an earlier answer.
    for name in ["tool_calls", "annotations"] {
        match message.value(name) {
            Some(Value::Array(items)) if items.is_empty() => {}
            None => {}
            Some(_) => {
                let at = format!("{at}.{name}");
                return Err(Fault::unsupported(at, "messages are text"));
            }
        }
    }
    match message.left().next() {
        None => Ok(ChatMessage { role: role.to_owned(), content }),
        Some(name) => {
            let at = format!("{at}.{name}");
            Err(Fault::unsupported(at, "the model's template has no place for it"))
        }
    }
}

/// `developer` is what newer clients call `system`.
fn role(at: &str, role: Option<&Value>) -> Result<&'static str, Fault> {
    match role.and_then(Value::as_str) {
        Some("system" | "developer") => Ok("system"),
        Some("user") => Ok("user"),
        Some("assistant") => Ok("assistant"),
        Some("tool" | "function") => {
            Err(Fault::unsupported(format!("{at}.role"), "this server calls no tools"))
        }
        _ => {
            Err(Fault::value(format!("{at}.role"), "must be system, developer, user or assistant"))
        }
    }
}

/// A text, or the parts of one, a line each as vLLM joins them.
fn text(at: &str, content: Value) -> Result<String, Fault> {
    let parts = match content {
        Value::String(text) => return Ok(text),
        Value::Array(parts) if !parts.is_empty() => parts,
        _ => return Err(Fault::value(at, "must be text, or a list of text parts")),
    };
    let mut lines = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match (kind, part.get("text").and_then(Value::as_str)) {
            ("text", Some(text)) => lines.push(text.to_owned()),
            ("text", None) => {
                return Err(Fault::value(format!("{at}[{index}].text"), "must be text"));
            }
            _ => {
                let at = format!("{at}[{index}].type");
                return Err(Fault::unsupported(at, "the model reads text only"));
            }
        }
    }
    Ok(lines.join("\n"))
}
