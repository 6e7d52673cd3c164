//! `hornbook job`: submit jobs and look after them.

mod act;
mod ls;
mod set;
mod show;
mod submit;
pub(crate) mod watch;

use crate::cli::Job;
use crate::client::Client;
use crate::exit::Outcome;

/// Runs one of the job commands.
pub(crate) async fn run(command: Job, client: &Client, json: bool) -> Outcome {
    match command {
        Job::Submit { file, dry_run: true, .. } => submit::dry_run(client, &file, json).await,
        Job::Submit { file, weight, watch, .. } => {
            submit::run(client, &file, weight, watch, json).await
        }
        Job::Ls { limit } => ls::run(client, limit, json).await,
        Job::Show { job } => show::run(client, &job, json).await,
        Job::Watch { job } => watch::run(client, &job, json).await,
        Job::Cancel { job } => act::run(client, &job, "cancel", None, json).await,
        Job::Pause { job } => act::run(client, &job, "pause", None, json).await,
        Job::Resume { job } => act::run(client, &job, "resume", None, json).await,
        Job::Set { job, budget_tokens, budget_usd, budget_failures, then, priority } => {
            let bounds = set::Bounds { budget_tokens, budget_usd, budget_failures, then };
            set::run(client, &job, bounds, priority, json).await
        }
        Job::Retry { job, codes } => act::retry(client, &job, codes, json).await,
    }
}
