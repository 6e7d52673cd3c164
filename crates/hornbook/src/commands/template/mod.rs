//! `hornbook template`: browse, render and store prompt templates.

mod diff;
mod ls;
mod push;
mod render;
mod show;

use crate::cli::Template;
use crate::client::Client;
use crate::exit::Outcome;

/// Runs one of the template commands.
pub(crate) async fn run(command: Template, client: &Client, json: bool) -> Outcome {
    match command {
        Template::Ls => ls::run(client, json).await,
        Template::Show { template } => show::run(client, &template, json).await,
        Template::Diff { template, from, to } => diff::run(client, &template, from, to, json).await,
        Template::Render { template, audience, seeds, seq } => {
            render::run(client, &template, &audience, &seeds, seq, json).await
        }
        Template::Push { template, file, format } => {
            push::run(client, &template, &file, format, json).await
        }
    }
}
