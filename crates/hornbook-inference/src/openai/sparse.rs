//! JSON read no further than it is needed: what nobody asked for is skipped and never built.
//!
//! A body of 16 MiB in small values would be a gigabyte as a tree. So unknown fields cost nothing
//! but their reading, lists count for their first entry unless all of it is text, and the number
//! of values that are built is bounded.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Most values that are built of one body.
const VALUES_MAX: u32 = 4_096;

/// What is kept of a value; text, numbers and the like always are.
pub(crate) enum Keep {
    /// All of it.
    All,
    /// These fields; of a list, the first entry with these.
    Fields(&'static [(&'static str, Keep)]),
    /// Of a list, every entry with these fields.
    Each(&'static [(&'static str, Keep)]),
}

use Keep::{All, Each, Fields};

/// What is read of an answer of any make, and of any error.
pub(crate) const ANSWER: Keep = Fields(ANSWER_FIELDS);

const ANSWER_FIELDS: &[(&str, Keep)] = &[
    ("choices", Fields(CHOICE_FIELDS)),
    ("content", Each(&[("type", All), ("text", All)])),
    ("stop_reason", All),
    ("stop_details", Fields(&[("explanation", All)])),
    ("model", All),
    ("usage", All),
    ("error", All),
    ("message", All),
    ("detail", All),
    ("code", All),
    ("type", All),
    ("error_type", All),
    ("status", All),
    ("details", All),
];

const CHOICE_FIELDS: &[(&str, Keep)] = &[
    ("message", Fields(&[("content", Each(&[("text", All)])), ("refusal", All)])),
    ("text", All),
    ("finish_reason", All),
    ("stop_reason", All),
];

/// What is read of a line of a batch's results.
pub(crate) const BATCH_LINE: Keep = Fields(&[
    ("custom_id", All),
    ("response", Fields(&[("status_code", All), ("body", ANSWER)])),
    ("error", Fields(&[("code", All), ("message", All)])),
]);

/// Reads what is kept.
///
/// # Errors
/// Where it is no JSON, or there is too much of it.
pub(crate) fn read(body: &[u8], keep: &Keep) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Seed { keep, left: &mut { VALUES_MAX } }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The last `usage` in a body that is no JSON as a whole, as one that was cut is; else null.
pub(crate) fn usage_in(body: &[u8]) -> Value {
    const NAME: &[u8] = b"\"usage\"";
    let at = body.windows(NAME.len()).rposition(|seen| seen == NAME);
    let told = at.map_or(&[][..], |at| body[at + NAME.len()..].trim_ascii_start());
    let told = told.strip_prefix(b":").unwrap_or_default();
    let mut reader = serde_json::Deserializer::from_slice(told);
    let value = Seed { keep: &All, left: &mut { VALUES_MAX } }.deserialize(&mut reader);
    value.unwrap_or_default()
}

struct Seed<'a> {
    keep: &'a Keep,
    left: &'a mut u32,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        *self.left = self.left.checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let Seed { keep, left } = self;
        let inner = match keep {
            All => &All,
            Fields(fields) | Each(fields) => &Fields(fields),
        };
        let mut kept = Vec::new();
        while kept.is_empty() || !matches!(keep, Fields(_)) {
            match list.next_element_seed(Seed { keep: inner, left: &mut *left })? {
                Some(value) => kept.push(value),
                None => return Ok(kept.into()),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Seed { keep, left } = self;
        let mut kept = Map::new();
        match keep {
            All => {
                while let Some(name) = map.next_key::<String>()? {
                    kept.insert(name, map.next_value_seed(Seed { keep: &All, left: &mut *left })?);
                }
            }
            Fields(fields) | Each(fields) => {
                while let Some(known) = map.next_key_seed(Known(fields))? {
                    match known {
                        Some((name, keep)) => {
                            let seed = Seed { keep, left: &mut *left };
                            let value = map.next_value_seed(seed)?;
                            kept.insert((*name).to_owned(), value);
                        }
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
            }
        }
        Ok(kept.into())
    }
}

/// The name of a field, where it is one of these.
struct Known(&'static [(&'static str, Keep)]);

impl<'de> DeserializeSeed<'de> for Known {
    type Value = Option<&'static (&'static str, Keep)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Known {
    type Value = Option<&'static (&'static str, Keep)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(known, _)| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_asked_for_is_built() {
        let body = json!({
            "id": "x", "logs": [[1], {"a": {}}], "model": "m", "usage": {"prompt_tokens": 3},
            "choices": [
                {"index": 0, "logprobs": {"content": [1, 2]}, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": [{"type": "text", "text": "a"}, "b"],
                             "tool_calls": [{}]}},
                {"message": {"content": "another"}}
            ]
        });
        let expected = json!({
            "model": "m", "usage": {"prompt_tokens": 3},
            "choices": [{"finish_reason": "stop",
                         "message": {"content": [{"text": "a"}, "b"]}}]
        });
        assert_eq!(read(body.to_string().as_bytes(), &ANSWER).unwrap(), expected);
        let list = read(br#"[{"error": {"code": 429}, "x": 1}, {"error": 2}]"#, &ANSWER).unwrap();
        assert_eq!(list, json!([{"error": {"code": 429}}]));
        for scalar in ["null", "true", "-1", "1.5", "18446744073709551615", "\"a\\u0000\""] {
            let value: Value = serde_json::from_str(scalar).unwrap();
            assert_eq!(read(scalar.as_bytes(), &ANSWER).unwrap(), value);
        }
    }

    #[test]
    fn what_a_cut_answer_cost_is_found() {
        let body = br#"{"x": "\"usage\": 1", "usage" : {"prompt_tokens": 7, "y": [1]}, "choi"#;
        assert_eq!(usage_in(body), json!({"prompt_tokens": 7, "y": [1]}));
        for none in ["", "{\"usage\"", "{\"usage\": {\"prompt_tokens\": 7", "\"usage\" 1"] {
            assert_eq!(usage_in(none.as_bytes()), Value::Null, "{none}");
        }
    }

    #[test]
    fn no_tree_grows_beyond_its_bound() {
        let many = "[".to_owned() + &"0,".repeat(1_000_000) + "0]";
        let skipped = format!("{{\"odd\": {many}, \"model\": \"m\"}}");
        assert_eq!(read(skipped.as_bytes(), &ANSWER).unwrap(), json!({"model": "m"}));
        for field in ["usage", "error", "content"] {
            let body = format!("{{\"{field}\": {many}}}");
            assert!(read(body.as_bytes(), &ANSWER).is_err(), "{field}");
        }
        for broken in ["", "{", "{} x", "{\"model\": }", "<html>"] {
            assert!(read(broken.as_bytes(), &ANSWER).is_err(), "{broken}");
        }
        assert!(read("[".repeat(100_000).as_bytes(), &ANSWER).is_err());
    }
}
