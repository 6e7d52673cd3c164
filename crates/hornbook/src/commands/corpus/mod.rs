//! `hornbook corpus`: fetch finished corpora.

pub(crate) mod pull;

use crate::cli::Corpus;
use crate::client::Client;
use crate::exit::Outcome;

/// Runs one of the corpus commands.
pub(crate) async fn run(command: Corpus, client: &Client, json: bool) -> Outcome {
    match command {
        Corpus::Pull { job, out } => pull::run(client, &job, &out, json).await,
    }
}
