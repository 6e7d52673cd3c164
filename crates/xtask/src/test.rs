//! `cargo xtask test`: everything that is checked, in one command.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::ambient::Ambient;
use crate::postgres::TestPostgres;
use crate::stages::Stages;
use crate::test_count::{self, Count};
use crate::{Outcome, arrows, browser, compose, install, model, python, shell};

/// Cases of each property under `--full`; the default is proptest's own 256.
const FULL_PROPTEST_CASES: &str = "10000";

/// What tests find in their environment.
struct Surroundings {
    postgres: TestPostgres,
    model: PathBuf,
    embedding_model: PathBuf,
    venv: PathBuf,
    /// Only under `--full`.
    old_clients: Option<PathBuf>,
    chromium: PathBuf,
    chromedriver: PathBuf,
}

/// Runs every stage; the answer is whether all of them passed.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let full = arguments.iter().any(|argument| argument == "--full");
    let filters: Vec<&String> = arguments.iter().filter(|argument| *argument != "--full").collect();
    if let Some(option) = filters.iter().find(|filter| filter.starts_with('-')) {
        return Err(format!("no such option {option}; try 'cargo xtask help'"));
    }
    let mut stages = Stages::default();
    let mut count = Count::default();
    if filters.is_empty() {
        stages.run("format", || shell::run(ambient.cargo().args(["fmt", "--all", "--check"])));
        stages.run("arrows", || arrows::run(ambient));
    }
    let mut found = None;
    stages.run("install", || {
        found = Some(prepare(ambient, full)?);
        Ok(())
    });
    let built = stages.run("build", || {
        shell::run(ambient.cargo().args(["build", "--workspace", "--all-targets"]))
    });
    if filters.is_empty() {
        stages.run("clippy", || {
            shell::run(ambient.cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]))
        });
        stages.run("documentation", || {
            let mut doc = ambient.cargo();
            doc.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
            shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
        });
        if found.is_some() {
            stages.run("compose", || compose::run(ambient));
        }
    }
    if built && filters.is_empty() {
        stages.run("documentation tests", || {
            shell::run(ambient.cargo().args(["test", "--workspace", "--doc"]))
        });
    }
    if let Some(found) = found.filter(|_| built) {
        stages.run("tests", || {
            test_count::run(&mut tests(ambient, &found, full, &filters), &mut count)
        });
        if filters.is_empty() {
            stages.run("browser tests", || browser::run(ambient, &found.chromium));
        }
    }
    let outcome = stages.finish();
    println!("\n{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    outcome
}

/// Installs and starts what tests need.
fn prepare(ambient: &Ambient, full: bool) -> Outcome<Surroundings> {
    let needs = [install::POSTGRES, install::PYTHON, install::BROWSER, install::NODE];
    install::ensure(&needs, ambient)?;
    browser::packages(ambient)?;
    Ok(Surroundings {
        model: model::fetch(ambient)?,
        embedding_model: model::fetch_embedder(ambient)?,
        venv: python::environment(ambient, python::USUAL)?,
        old_clients: match full {
            true => Some(python::environment(ambient, python::OLD_CLIENTS)?),
            false => None,
        },
        chromium: install::chromium(ambient).ok_or("no Chromium")?,
        chromedriver: ambient.find("chromedriver").ok_or("no chromedriver")?,
        postgres: TestPostgres::start(ambient)?,
    })
}

/// The test runner: nextest where it is installed, else cargo's own.
fn tests(ambient: &Ambient, found: &Surroundings, full: bool, filters: &[&String]) -> Command {
    let nextest = ambient
        .cargo()
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let mut command = ambient.cargo();
    if nextest {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]).args(filters);
        // The slow tests wait, for leases, limits and faults; two of them need one core.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.args(["--test-threads", &(2 * cores).to_string()]);
    } else {
        // Cargo takes one filter before the dashes; the test programs take any number after them.
        command
            .args(["test", "--workspace", "--all-targets", "--no-fail-fast", "--"])
            .args(filters);
    }
    command
        .env("HORNBOOK_TEST_DATABASE_URL", found.postgres.url())
        .env("HORNBOOK_BIN", ambient.hornbook())
        .env("HORNBOOK_TEST_MODEL", &found.model)
        .env("HORNBOOK_TEST_EMBEDDING_MODEL", &found.embedding_model)
        .env("HORNBOOK_TEST_VENV", &found.venv)
        .env("HORNBOOK_CHROMIUM", &found.chromium)
        .env("HORNBOOK_CHROMEDRIVER", &found.chromedriver)
        // The environment of whoever runs the tests is not the service's configuration.
        .env_remove("DATABASE_URL")
        .env_remove("DATABASE_URL_FILE");
    if full {
        // Properties are the fuzzing: forged model files, templates, seeds, plans.
        command.env("HORNBOOK_TEST_FULL", "1").env("PROPTEST_CASES", FULL_PROPTEST_CASES);
    }
    if let Some(venv) = &found.old_clients {
        command.env("HORNBOOK_TEST_OLD_CLIENTS_VENV", venv);
    }
    command
}
