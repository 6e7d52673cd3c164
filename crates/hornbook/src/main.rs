//! The `hornbook` binary: command line, configuration and wiring; the only reader of the environment.

mod cli;
mod client;
mod commands;
mod config;
mod environment;
mod exit;
mod logging;
mod output;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command, Corpus, Global};
use crate::client::Client;
use crate::environment::Environment;
use crate::exit::{Context as _, Failure, Outcome};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            use std::io::Write as _;
            // Nothing can be done about a closed stderr.
            let said = output::printable(&failure.to_string());
            let _ = writeln!(std::io::stderr(), "hornbook: {said}");
            ExitCode::from(failure.code as u8)
        }
    }
}

fn start(cli: Cli) -> Outcome {
    let environment = Environment::read()?;
    logging::start(&environment)?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Err(Failure::error("another TLS provider was installed first"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the async runtime")?;
    runtime.block_on(run(cli, environment))
}

async fn run(cli: Cli, environment: Environment) -> Outcome {
    let Cli { global, command } = cli;
    match command {
        Command::Job(command) => {
            commands::job::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Corpus(Corpus::Build(arguments)) => {
            commands::corpus::build::run(arguments, global.json).await
        }
        Command::Corpus(Corpus::Push(arguments)) => {
            let client = client(&global, &environment)?;
            commands::corpus::push::run(&client, arguments, &environment, global.json).await
        }
        Command::Corpus(Corpus::Plan(arguments)) => {
            commands::corpus::plan::run(&arguments, global.json)
        }
        Command::Corpus(command) => {
            commands::corpus::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Template(command) => {
            commands::template::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Audience(command) => {
            commands::audience::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Seeds(command) => {
            commands::seeds::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Benchmark(command) => {
            commands::benchmark::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Import(command) => {
            commands::import::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Endpoint(command) => {
            commands::endpoint::run(command, &client(&global, &environment)?, global.json).await
        }
        Command::Healthcheck => commands::healthcheck::run(&client(&global, &environment)?).await,
        Command::Completions { shell } => commands::completions::run(shell),
        Command::Openapi => commands::openapi::run(),
        command => run_here(command, &global, &environment).await,
    }
}

/// The commands that work in this process instead of asking a running service.
async fn run_here(command: Command, global: &Global, environment: &Environment) -> Outcome {
    let file = config::read_file(global)?;
    match command {
        Command::Serve(flags) => {
            commands::serve::run(config::serve(&flags, &file, environment)?, environment).await
        }
        Command::Quickstart(command) => {
            let config = config::serve(&command.serve, &file, environment)?;
            commands::quickstart::run(command, config, environment).await
        }
        Command::Worker(flags) => {
            let storage = config::storage(&flags.storage, &file, environment)?;
            let engine = config::engine(&flags.engine, &file, &storage);
            let drain = config::drain(flags.drain_seconds, &file);
            let networks = config::allowed_networks(&flags.outgoing, &file);
            let importing = config::importing(&flags.importing, &file)?;
            let settings =
                commands::worker::Settings { storage, engine, drain, networks, importing };
            commands::worker::run(settings, environment).await
        }
        Command::Engine(flags) => {
            commands::engine::run(config::engine_server(&flags, &file, environment)?).await
        }
        Command::Migrate(flags) => {
            let storage = config::storage(&flags, &file, environment)?;
            commands::migrate::run(&storage, environment).await
        }
        Command::Key(command) => commands::key::run(command, &file, environment, global.json).await,
        Command::Model(command) => {
            commands::model::run(command, &file, environment, global.json).await
        }
        _ => Err(Failure::usage("this command talks to a running service")),
    }
}

fn client(global: &Global, environment: &Environment) -> Result<Client, Failure> {
    let key = match &global.key_file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::usage(format!("reading {}: {error}", file.display())))?;
            Some(text.trim().to_owned())
        }
        None => environment.key.clone(),
    };
    Client::new(&global.url, key)
}
