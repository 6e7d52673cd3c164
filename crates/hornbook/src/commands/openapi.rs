//! `hornbook openapi`: the OpenAPI document of this build.

use crate::exit::Outcome;
use crate::output;

/// Prints the document as it is served at `/openapi.json`.
pub(crate) fn run() -> Outcome {
    output::raw(&hornbook_api::openapi())
}
