//! `cargo xtask`: everything that a newcomer or a machine does with this project in one command.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

mod ambient;
mod arrows;
mod asan;
mod bench;
mod browser;
mod compose;
mod cuda_check;
mod fuzz;
mod help;
mod install;
mod model;
mod openapi;
mod postgres;
mod python;
mod quickstart;
mod shell;
mod stages;
mod test;
mod test_count;

use std::process::ExitCode;

use crate::ambient::Ambient;

/// Why a verb failed, in words for a person.
type Failure = String;
/// What every verb returns.
type Outcome<T = ()> = Result<T, Failure>;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let verb = if arguments.is_empty() { "help".to_owned() } else { arguments.remove(0) };
    match Ambient::read().and_then(|ambient| run(&verb, &arguments, &ambient)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {verb}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &str, arguments: &[String], ambient: &Ambient) -> Outcome {
    match verb {
        "test" => test::run(arguments, ambient),
        "quickstart" => quickstart::run(arguments, ambient),
        "arrows" => arrows::run(ambient),
        "bench" => bench::run(arguments, ambient),
        "compose" => compose::run(ambient),
        "model" => model::fetch(ambient).map(|path| println!("{}", path.display())),
        "embedding-model" => {
            model::fetch_embedder(ambient).map(|path| println!("{}", path.display()))
        }
        "fuzz" => fuzz::run(arguments, ambient),
        "asan" => asan::run(arguments, ambient),
        "cuda-check" => cuda_check::run(ambient),
        "openapi" => openapi::run(ambient),
        "help" | "--help" | "-h" => {
            help::run();
            Ok(())
        }
        unknown => Err(format!("no such verb '{unknown}'; try 'cargo xtask help'")),
    }
}
