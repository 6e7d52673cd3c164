//! `hornbook template show`: print a template's body.

use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output::{self, printable, text};

/// Prints the body of a template, `name` or `name@version`.
pub(crate) async fn run(client: &Client, template: &str, json: bool) -> Outcome {
    let template = client.get(&format!("/v1/templates/{}", segment(template))).await?;
    if json {
        return output::json(&template);
    }
    output::line(printable(&text(&template, "/body")).trim_end())
}
