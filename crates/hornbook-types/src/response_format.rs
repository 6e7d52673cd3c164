//! The shape that answers must have.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::FieldError;
use crate::limits::{RESPONSE_SCHEMA_BYTES, RESPONSE_SCHEMA_NAME_BYTES};

/// What answers are bound to while they are drawn, spelled as OpenAI spells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResponseFormat {
    /// JSON that satisfies a schema.
    JsonSchema {
        /// The schema.
        json_schema: NamedSchema,
    },
}

/// A JSON schema with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedSchema {
    /// 1 to 64 of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub name: String,
    /// The schema itself; which of its words count is each provider's to say.
    #[schema(value_type = Object)]
    pub schema: Map<String, Value>,
    /// OpenAI's strict mode, which takes fewer schemas and keeps to them exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl ResponseFormat {
    /// The schema.
    pub fn schema(&self) -> &NamedSchema {
        let Self::JsonSchema { json_schema } = self;
        json_schema
    }

    /// Appends every fault to `faults`, with pointers below `at`.
    pub(crate) fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        let NamedSchema { name, schema, .. } = self.schema();
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let fits = (1..=RESPONSE_SCHEMA_NAME_BYTES).contains(&name.len());
        if !(fits && name.chars().all(known)) {
            let detail = "needs 1 to 64 letters, digits, _ and -";
            faults.push(FieldError::new(format!("{at}/json_schema/name"), detail));
        }
        let pointer = format!("{at}/json_schema/schema");
        if schema.is_empty() {
            faults.push(FieldError::new(pointer, "must be a JSON schema, not an empty object"));
        } else if serde_json::to_vec(schema).map_or(usize::MAX, |json| json.len())
            > RESPONSE_SCHEMA_BYTES
        {
            faults.push(FieldError::new(pointer, "needs at most 65536 bytes"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(name: &str, schema: Value) -> Vec<String> {
        let format = json!({
            "type": "json_schema", "json_schema": {"name": name, "schema": schema}
        });
        let format: ResponseFormat = serde_json::from_value(format).expect("the types fit");
        let mut faults = Vec::new();
        format.check("/f", &mut faults);
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_schema_has_a_name_and_an_end() {
        assert_eq!(faults("quiz_1", json!({"type": "object"})), [""; 0]);
        for name in ["", "a b", "é", &"x".repeat(65)] {
            assert_eq!(faults(name, json!({"type": "object"})), ["/f/json_schema/name"], "{name}");
        }
        let long = json!({"description": "x".repeat(RESPONSE_SCHEMA_BYTES)});
        for schema in [json!({}), long] {
            assert_eq!(faults("quiz", schema), ["/f/json_schema/schema"]);
        }
        for bad in [
            json!({"type": "json_object"}),
            json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {}}, "more": 1}),
            json!({"type": "json_schema", "json_schema": {"name": "x", "schema": []}}),
        ] {
            assert!(serde_json::from_value::<ResponseFormat>(bad.clone()).is_err(), "{bad}");
        }
    }
}
