//! `hornbook corpus`: mix and fetch corpora, build corpora from files, plan them, push them to the Hub.

pub(crate) mod build;
mod create;
mod ls;
pub(crate) mod plan;
pub(crate) mod pull;
pub(crate) mod push;
mod show;

use crate::cli::Corpus;
use crate::client::Client;
use crate::exit::{Failure, Outcome};

/// Runs one of the commands that talk to a service.
pub(crate) async fn run(command: Corpus, client: &Client, json: bool) -> Outcome {
    match command {
        Corpus::Create { file, wait } => create::run(client, &file, wait, json).await,
        Corpus::Ls { limit } => ls::run(client, limit, json).await,
        Corpus::Show { corpus } => show::run(client, &corpus, json).await,
        Corpus::Pull { corpus, out } => pull::run(client, &corpus, &out, json).await,
        Corpus::Build(_) => Err(Failure::usage("a build needs no service")),
        Corpus::Plan(_) => Err(Failure::usage("a plan needs no service")),
        Corpus::Push(_) => Err(Failure::usage("a push goes to a hub")),
    }
}
