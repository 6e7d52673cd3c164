//! Others' near deduplication on the same files, in the same run.

use std::path::Path;
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, shell};

use super::near::{Bench, answer, number};
use super::report::{Line, Report};

/// What others are called, and the packages that are installed for them.
const PEERS: [(&str, &[&str]); 2] = [
    ("rensa", &["rensa==0.5.0", "pyarrow==26.0.1"]),
    (
        "datatrove",
        &[
            "datatrove==0.10.1",
            "pyarrow==26.0.1",
            "spacy==3.8.18",
            "orjson==3.13.0",
            "regex==2026.11.15",
            "tokenizers==0.23.3",
            "xxhash==3.5.1",
        ],
    ),
];
const SCRIPT: &str = "crates/xtask/src/bench/corpus/near_peers.py";

/// Installs each and lets it decide; 14 bands of 8 rows, word 5-grams, one worker.
pub(crate) fn measure(
    bench: &Bench,
    corpus: &Path,
    documents: u64,
    ambient: &Ambient,
    report: &mut Report,
) -> Outcome {
    let ours = bench.dedup(corpus, "14x8", 1)?;
    let ours = documents as f64 / number(&ours, "cpu_s")?;
    for (name, packages) in PEERS {
        let venv = ambient.target.join("bench").join(format!("venv-{name}"));
        println!("installing {name}");
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let python = venv.join("bin/python");
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        shell::run(Command::new(&python).args(install).args(packages))?;
        let out = Bench::decided(corpus);
        let mut command = Command::new(&python);
        command.arg(ambient.root.join(SCRIPT)).arg(name).arg(corpus).arg(out);
        let theirs = answer(&mut command)?;
        let verdict = bench.judge(corpus, documents)?;
        let recall: Vec<String> = (1_usize..4)
            .map(|band| number(&verdict["recall"], band).map(|recall| format!("{recall:.3}")))
            .collect::<Outcome<_>>()?;
        let per_cpu_s = documents as f64 / number(&theirs, "cpu_s")?;
        report.lines.push(
            Line::new(
                format!("{name}, 14x8, {documents} documents"),
                "docs/CPU-s",
                vec![per_cpu_s],
            )
            .against(format!("ours {ours:.0}; its recall {}", recall.join(" / "))),
        );
        report.samples.insert(name.to_owned(), theirs);
        report.samples.insert(format!("{name}-verdict"), verdict);
    }
    Ok(())
}
