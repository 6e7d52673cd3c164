//! Names and ids in paths: one that is not well-formed names nothing.

use hornbook_types::{Reference, Slug};
use uuid::Uuid;

use crate::Problem;

/// A name that is to be written to; a bad one is refused with the rule.
pub(crate) fn slug(text: &str) -> Result<Slug, Problem> {
    text.parse().map_err(|rule: String| {
        Problem::new(http::StatusCode::UNPROCESSABLE_ENTITY, "invalid_name", rule)
    })
}

/// `name` or `name@version` of a thing that is to be read; a bad one does not exist.
pub(crate) fn reference(kind: &str, text: &str) -> Result<Reference, Problem> {
    text.parse().map_err(|_: String| Problem::not_found(format!("{kind} '{}'", printable(text))))
}

/// The id of a job; a bad one does not exist.
pub(crate) fn job_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("job '{}'", printable(text))))
}

/// The id of a mixed corpus; a bad one does not exist.
pub(crate) fn corpus_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("corpus '{}'", printable(text))))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
