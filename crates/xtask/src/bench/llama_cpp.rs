//! `cargo xtask bench llama-cpp`: builds llama.cpp out of a package's source, for machines that reach only a package index.

use std::path::PathBuf;
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, install, shell};

use super::theirs::{BATCHED_BENCH, QUANTIZE};

/// The package that carries its source, and the hash of its archive.
const REQUIREMENT: &str = "llama-cpp-python==0.3.36 --hash=sha256:832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e\n";
/// The archive's name and its folder with the source.
const ARCHIVE: &str = "llama_cpp_python-0.3.36.tar.gz";
const SOURCE: &str = "llama_cpp_python-0.3.36/vendor/llama.cpp";
/// The machine's own instruction sets, and nothing that needs a network.
const CONFIGURATION: [&str; 9] = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_TOOLS=ON",
];

/// Where the programs lie once they are built.
pub(crate) fn bin_dir(ambient: &Ambient) -> PathBuf {
    dir(ambient).join("build/bin")
}

fn dir(ambient: &Ambient) -> PathBuf {
    ambient.target.join("llama-cpp")
}

/// Fetches the source and the tools that build it, and builds the two programs; needs a C++ compiler.
pub(crate) fn run(ambient: &Ambient) -> Outcome {
    install::ensure(&[install::PYTHON], ambient)?;
    if ambient.find("c++").is_none() {
        return Err(
            "needs a C++ compiler; on Debian and Ubuntu: sudo apt-get install g++".to_owned()
        );
    }
    let dir = dir(ambient);
    std::fs::create_dir_all(&dir)
        .map_err(|error| format!("could not make {}: {error}", dir.display()))?;
    let tools = dir.join("tools");
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&tools))?;
    let pip = || {
        let mut pip = Command::new(tools.join("bin/python"));
        pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]).current_dir(&dir);
        pip
    };
    shell::run(pip().args(["install", "cmake", "ninja"]))?;
    let requirement = dir.join("requirement.txt");
    std::fs::write(&requirement, REQUIREMENT)
        .map_err(|error| format!("could not write {}: {error}", requirement.display()))?;
    println!("fetching {ARCHIVE}");
    shell::run(
        pip()
            .args(["download", "--no-deps", "--no-binary", "llama-cpp-python", "--require-hashes"])
            .arg("--requirement")
            .arg(&requirement),
    )?;
    shell::run(Command::new("tar").arg("xf").arg(ARCHIVE).current_dir(&dir))?;
    println!("building llama.cpp; this takes minutes");
    shell::run(
        Command::new(tools.join("bin/cmake"))
            .args(["-G", "Ninja", "-S", SOURCE, "-B", "build"])
            .arg(format!("-DCMAKE_MAKE_PROGRAM={}", tools.join("bin/ninja").display()))
            .args(CONFIGURATION)
            .current_dir(&dir),
    )?;
    let mut ninja = Command::new(tools.join("bin/ninja"));
    shell::run(ninja.args(["-C", "build", BATCHED_BENCH, QUANTIZE]).current_dir(&dir))?;
    println!("{}", bin_dir(ambient).display());
    Ok(())
}
