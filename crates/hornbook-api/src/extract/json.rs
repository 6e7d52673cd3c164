//! JSON bodies: media type, size, syntax with its place, fields with their pointers.

use axum::extract::{FromRequest, Request};
use hornbook_types::FieldError;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::read_body;
use crate::Problem;
use crate::limits::JSON_BODY_BYTES;

/// A JSON body of type `T`, refused with the place of every fault.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::unsupported_media(&["application/json"]));
        }
        let bytes = read_body(request.into_body(), JSON_BODY_BYTES).await?;
        parse_json(&bytes).map(Self)
    }
}

/// A JSON body that may be absent: nothing at all, whatever its media type, is `None`.
pub(crate) async fn optional_json<T: DeserializeOwned>(
    request: Request,
) -> Result<Option<T>, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(body, JSON_BODY_BYTES).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json(&parts.headers) {
        return Err(Problem::unsupported_media(&["application/json"]));
    }
    parse_json(&bytes).map(Some)
}

/// True when the body is said to be JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Parses a body, naming line and column of bad syntax and the pointer of a bad value.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| syntax(&error))?;
    let mut pointer = String::new();
    if let Some(found) = find_nul(&value, &mut pointer) {
        return Err(Problem::field(found, "U+0000 is not allowed in text"));
    }
    // Read again from the bytes, so that a name given twice is seen as such.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = to_pointer(error.path());
        Problem::invalid(vec![FieldError::new(pointer, without_place(&error.inner().to_string()))])
    })
}

/// Bad syntax, with its line and column.
pub(crate) fn syntax(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let what = without_place(&error.to_string());
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid_json",
        format!("the body is not JSON: {what} at line {line}, column {column}"),
    )
    .member("line", line)
    .member("column", column)
}

/// The message without serde_json's own "at line 1 column 2", which the reply says in fields.
fn without_place(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}

/// Finds U+0000 in any string or name of `value` and gives its pointer.
///
/// Postgres text cannot hold it, so that it must never reach the database.
pub(crate) fn find_nul(value: &Value, pointer: &mut String) -> Option<String> {
    let length = pointer.len();
    match value {
        Value::String(text) if text.contains('\0') => return Some(pointer.clone()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                if let Some(found) = find_nul(item, pointer) {
                    return Some(found);
                }
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                pointer.push('/');
                pointer.push_str(&escape(name));
                if name.contains('\0') {
                    return Some(pointer.clone());
                }
                if let Some(found) = find_nul(item, pointer) {
                    return Some(found);
                }
                pointer.truncate(length);
            }
        }
        _ => {}
    }
    None
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn to_pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&escape(key));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only the way to it is looked at")]
        lines: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only the way to it is looked at")]
        count: u8,
    }

    fn fault(text: &str) -> Problem {
        parse_json::<Outer>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn syntax_names_line_and_column() {
        let problem = fault("{\n  \"lines\": [}");
        assert_eq!(problem.code, "invalid_json");
        assert!(problem.detail.contains("line 2, column 13"), "{}", problem.detail);
    }

    #[test]
    fn faults_name_their_pointer() {
        let wrong = fault(r#"{"lines":[{"count":1},{"count":"x"}]}"#);
        assert_eq!(wrong.errors[0].pointer, "/lines/1/count");
        let unknown = fault(r#"{"lines":[{"count":1,"extra":2}]}"#);
        assert_eq!(unknown.errors[0].pointer, "/lines/0/extra");
        let twice = fault(r#"{"lines":[],"lines":[]}"#);
        assert!(twice.errors[0].detail.contains("duplicate"), "{:?}", twice.errors);
        let missing = fault("{}");
        assert!(missing.errors[0].detail.contains("lines"), "{:?}", missing.errors);
    }

    #[test]
    fn nul_is_found_anywhere() {
        let problem = fault(r#"{"lines":[], "a/b": [1, {"c": "x\u0000"}]}"#);
        assert_eq!(problem.errors[0].pointer, "/a~1b/1/c");
        let name = fault(r#"{"x\u0000": 1}"#);
        assert_eq!(name.errors[0].pointer, "/x\0");
    }
}
