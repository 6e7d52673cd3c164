//! `cargo xtask asan`: the engine's tests under the address sanitizer.
//!
//! Optional and in no other verb: it builds the engine and all that it needs once more, with every
//! load and store checked: a quarter of an hour on two cores, then five minutes for all tests. The
//! sanitizer is a feature of nightly compilers, which `RUSTC_BOOTSTRAP` lets a stable one take too.
//! What it cannot see: reads beyond a page of keys and values that stay within their one anonymous
//! map.

use crate::ambient::Ambient;
use crate::{Outcome, shell};

const TARGETS: [(&str, &str); 2] =
    [("x86_64", "x86_64-unknown-linux-gnu"), ("aarch64", "aarch64-unknown-linux-gnu")];

/// Builds and runs the tests that match a filter, all without one.
pub(crate) fn run(filters: &[String], ambient: &Ambient) -> Outcome {
    let target = TARGETS
        .into_iter()
        .find(|(architecture, _)| *architecture == std::env::consts::ARCH)
        .filter(|_| cfg!(target_os = "linux"))
        .ok_or("the sanitizer runs on Linux on x86-64 and 64-bit Arm")?;
    shell::run(
        ambient
            .cargo()
            .args(["test", "--package", "hornbook-candle", "--lib", "--test", "engine"])
            // Named, so that build scripts and macros are built without it.
            .args(["--target", target.1, "--no-fail-fast", "--"])
            .args(filters)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("CARGO_TARGET_DIR", ambient.target.join("asan")),
    )
}
