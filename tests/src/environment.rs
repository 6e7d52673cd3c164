//! What `cargo xtask test` tells the tests.

use std::path::PathBuf;

#[expect(clippy::disallowed_methods, reason = "tests are told their surroundings by xtask")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &str) -> String {
    match variable(name) {
        Some(value) => value,
        None => panic!("{name} is not set; run these tests with 'cargo xtask test'"),
    }
}

/// The built `hornbook` binary.
pub fn binary() -> PathBuf {
    required("HORNBOOK_BIN").into()
}

/// A superuser's URL on the one Postgres that all tests share.
pub fn database_url() -> String {
    required("HORNBOOK_TEST_DATABASE_URL")
}

/// The real model file.
pub fn model() -> PathBuf {
    required("HORNBOOK_TEST_MODEL").into()
}

/// The directory of the real embedding model.
pub fn embedding_model() -> PathBuf {
    required("HORNBOOK_TEST_EMBEDDING_MODEL").into()
}

/// A Python interpreter with the packages of `tests/python/requirements.txt`.
pub fn python() -> PathBuf {
    PathBuf::from(required("HORNBOOK_TEST_VENV")).join("bin").join("python")
}

/// The same with those of `tests/python/requirements-old-clients.txt`; there under `--full` only.
pub fn python_of_old_clients() -> PathBuf {
    PathBuf::from(required("HORNBOOK_TEST_OLD_CLIENTS_VENV")).join("bin").join("python")
}

/// True under `cargo xtask test --full`.
pub fn full() -> bool {
    variable("HORNBOOK_TEST_FULL").is_some()
}
