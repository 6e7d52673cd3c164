//! `cargo xtask cuda-check`: does the code for NVIDIA's GPUs compile, on a machine that has none?
//!
//! Optional and in no other verb: it fetches 107 MB of compilers in Python packages (under
//! NVIDIA's licence), takes 0.8 GB below the target directory and ten minutes on two cores for candle's
//! kernels. Nothing is linked, so no library of a driver is needed, and nothing runs on a GPU.

use std::process::Command;

use crate::ambient::Ambient;
use crate::install::{self, Need};
use crate::{Outcome, shell};

/// The parts of the CUDA toolkit that compile kernels, and the hashes of their wheels (x86-64,
/// then 64-bit Arm).
const REQUIREMENTS: &str = "\
nvidia-cuda-cccl==13.0.85 \
--hash=sha256:e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649 \
--hash=sha256:6f0203e29fed809ee2b7fe9b1344df66ecab990c37d6a2e0e189b26d6c97ed7c
nvidia-cuda-crt==13.0.88 \
--hash=sha256:2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4 \
--hash=sha256:ee2ea2a97073e02ee62bb27841f437332be2c248e3eac013df07997ada39c003
nvidia-cuda-nvcc==13.0.88 \
--hash=sha256:56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03 \
--hash=sha256:c7ff28f86a24effdc6c034fa15230c549a273e4771b10a7fec14996f8cf3307f
nvidia-cuda-runtime==13.0.88 \
--hash=sha256:422a38f7c739ecbdd3a4b6ec7ed0a1d74db43d8e9bc26685f3d845638922b178 \
--hash=sha256:8ba16a33998ee3ee2bf11c8f13e36e3ff86a1d6ad165ffeee863d6eabd0b5f67
nvidia-nvvm==13.0.88 \
--hash=sha256:c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0 \
--hash=sha256:c4376a291d72d22a315d9d2f69bdae8f8cd83a627f75bad395cee49a0fe65dc1
";
/// The version in the form in which candle's bindings are told.
const CUDA_VERSION: &str = "13000";
/// The GPUs that kernels are compiled for: Ampere, whose code newer ones run too.
const COMPUTE_CAPABILITY: &str = "80";

/// The compiler that `nvcc` calls for the host's part.
const COMPILER: Need = Need {
    what: "a C++ compiler",
    met: |ambient| ambient.find("g++").is_some(),
    packages: &["g++"],
};

/// Fetches what compiles, then checks the engine with its `cuda` feature.
pub(crate) fn run(ambient: &Ambient) -> Outcome {
    install::ensure(&[install::PYTHON, COMPILER], ambient)?;
    let dir = ambient.target.join("cuda");
    let toolkit = dir.join("toolkit");
    let root = toolkit.join("nvidia").join("cu13");
    let bin = root.join("bin");
    if !bin.join("nvcc").is_file() {
        std::fs::create_dir_all(&toolkit)
            .map_err(|error| format!("could not make {}: {error}", toolkit.display()))?;
        let requirements = dir.join("requirements.txt");
        std::fs::write(&requirements, REQUIREMENTS)
            .map_err(|error| format!("could not write {}: {error}", requirements.display()))?;
        println!("fetching the compilers of CUDA 13.0 (107 MB)");
        shell::run(
            Command::new("python3")
                .args(["-m", "pip", "install", "--no-deps", "--require-hashes"])
                .args(["--quiet", "--disable-pip-version-check", "--progress-bar=off"])
                .arg("--requirement")
                .arg(&requirements)
                .arg("--target")
                .arg(&toolkit),
        )?;
    }
    let path = std::env::join_paths([bin.clone()].into_iter().chain(ambient.path.iter().cloned()))
        .map_err(|error| format!("{} cannot stand in PATH: {error}", bin.display()))?;
    println!("checking hornbook-candle with the feature cuda; the first time takes minutes");
    shell::run(
        ambient
            .cargo()
            .args(["check", "--package", "hornbook-candle", "--features", "cuda", "--lib"])
            // A directory of its own: the other one would be built anew for the other features.
            .arg("--target-dir")
            .arg(dir.join("build"))
            .env("PATH", path)
            .env("NVCC", bin.join("nvcc"))
            .env("CUDA_HOME", &root)
            .env("CUDARC_CUDA_VERSION", CUDA_VERSION)
            .env("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY),
    )?;
    println!("it compiles; whether it computes only a GPU can tell");
    Ok(())
}
