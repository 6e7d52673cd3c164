//! Fields of OpenAI's protocol that change nothing here, and the values of them that are refused.

use serde_json::Value;

use super::fault::Fault;

/// A field, the values of it that ask for nothing, and what is said to all others.
type Rule = (&'static str, fn(&Value) -> bool, &'static str);

/// What clients send as a matter of course is taken where it asks for nothing that is not done.
const RULES: [Rule; 26] = [
    ("user", any, ""),
    ("safety_identifier", any, ""),
    ("metadata", any, ""),
    ("prompt_cache_key", any, ""),
    ("prompt_cache_retention", any, ""),
    ("parallel_tool_calls", any, ""),
    ("store", off, "answers are not stored"),
    ("service_tier", tier, "there is one tier"),
    ("tools", empty, "this server calls no tools"),
    ("tool_choice", no_tool, "this server calls no tools"),
    ("functions", empty, "this server calls no functions"),
    ("function_call", no_tool, "this server calls no functions"),
    ("response_format", plain_text, "answers are plain text"),
    ("modalities", only_text, "answers are plain text"),
    ("audio", never, "answers are plain text"),
    ("prediction", never, "answers are not predicted"),
    ("web_search_options", never, "this server searches nothing"),
    ("reasoning_effort", none, "the model has no such dial"),
    ("verbosity", never, "the model has no such dial"),
    ("echo", off, "the prompt is not repeated"),
    ("suffix", empty, "text is continued at its end only"),
    ("best_of", one, "answers are not ranked; ask for n of them"),
    ("use_beam_search", off, "answers are drawn, not searched"),
    ("ignore_eos", off, "use min_tokens"),
    ("logit_processors", never, "none can be loaded"),
    ("guided_json", never, "answers are plain text"),
];

/// Refuses a field that nobody took, unless its value asks for nothing.
pub(super) fn check(name: &str, value: &Value) -> Result<(), Fault> {
    match RULES.iter().find(|(known, ..)| *known == name) {
        Some((_, is_harmless, _)) if is_harmless(value) => Ok(()),
        Some((.., why)) => Err(Fault::unsupported(name, *why)),
        None => Err(Fault::unknown(name)),
    }
}

fn any(_: &Value) -> bool {
    true
}

fn never(_: &Value) -> bool {
    false
}

fn off(value: &Value) -> bool {
    value == &Value::Bool(false)
}

fn one(value: &Value) -> bool {
    value.as_u64() == Some(1)
}

fn none(value: &Value) -> bool {
    value.as_str() == Some("none")
}

fn no_tool(value: &Value) -> bool {
    matches!(value.as_str(), Some("none" | "auto"))
}

fn tier(value: &Value) -> bool {
    matches!(value.as_str(), Some("auto" | "default"))
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn plain_text(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("text")
}

fn only_text(value: &Value) -> bool {
    value.as_array().is_some_and(|kinds| kinds.iter().all(|kind| kind.as_str() == Some("text")))
}
