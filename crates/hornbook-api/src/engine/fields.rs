//! The fields of a request, taken one by one, so that what is left over can be refused by name.

use std::time::Duration;

use axum::extract::Request;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::limits::{BODY_BYTES, BODY_SECONDS};
use super::unsupported;
use crate::Problem;
use crate::extract::{is_json, read_body, syntax};

/// The fields of a body that nobody has taken yet; `null` is the same as absent.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a request's body, which must be a JSON object.
    pub(super) async fn read(request: Request) -> Result<Self, Fault> {
        // Media types that a form could send are refused: a page of any site may post a form.
        if !is_json(request.headers()) {
            return Err(Problem::unsupported_media(&["application/json"]).into());
        }
        let reading = read_body(request.into_body(), BODY_BYTES);
        let bytes = tokio::time::timeout(Duration::from_secs(BODY_SECONDS), reading)
            .await
            .map_err(|_| Fault::body_too_slow())??;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        match serde_json::from_slice(bytes).map_err(|error| Fault::from(syntax(&error)))? {
            Value::Object(fields) => Ok(Self::of(fields)),
            _ => Err(Fault::value("body", "must be a JSON object")),
        }
    }

    /// The fields of an object within the body.
    pub(super) fn of(fields: Map<String, Value>) -> Self {
        Self(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    /// Whatever stands there.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        // Order means nothing here, and shifting the rest would cost.
        self.0.swap_remove(name)
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::value(name, "must be a string")),
        }
    }

    /// A truth value; `false` when absent.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Fault> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(Fault::value(name, "must be true or false")),
        }
    }

    /// A number, as far as 32 bits hold it.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<f32>, Fault> {
        let Some(value) = self.value(name) else { return Ok(None) };
        number(name, &value).map(Some)
    }

    /// A whole number from 0 to 4294967295.
    pub(super) fn count(&mut self, name: &str) -> Result<Option<u32>, Fault> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let count = value.as_u64().and_then(|number| u32::try_from(number).ok());
        count.map(Some).ok_or_else(|| Fault::value(name, "must be a whole number, not negative"))
    }

    /// Refuses whatever was not taken, unless it has no effect anyway.
    pub(super) fn finish(self) -> Result<(), Fault> {
        self.0.iter().try_for_each(|(name, value)| unsupported::check(name, value))
    }

    /// The names that were not taken.
    pub(super) fn left(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A finite number, as far as 32 bits hold it.
pub(super) fn number(name: &str, value: &Value) -> Result<f32, Fault> {
    #[expect(clippy::cast_possible_truncation, reason = "ranges are checked afterwards")]
    let number = value.as_f64().map(|number| number as f32);
    number.filter(|number| number.is_finite()).ok_or_else(|| Fault::value(name, "must be a number"))
}
