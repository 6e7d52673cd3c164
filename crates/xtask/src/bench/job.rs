//! The row `job`: the sample recipe through the whole service, against the engine given the same prompts.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Outcome, install};

use super::figure::{Bar, Figure, Phase, are_disturbed};
use super::options::Options;
use super::report::{Line, Report};
use super::service::Service;
use super::setting::Setting;
use super::{http, ours, process};

/// Prompts of the job: as many as one page of documents holds.
const PROMPTS: usize = 200;
/// Least share of the engine's own speed.
const BAR: f64 = 0.9;
/// How often the job's state is asked for.
const LOOK: Duration = Duration::from_millis(100);
/// How long the job may take.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// A finished job.
struct Done {
    phase: Phase,
    /// Cores that anything but the service kept busy meanwhile.
    others_cores: f64,
    sampling: Value,
    documents: Vec<Value>,
}

/// Runs both in turn, the service anew for every job.
pub(crate) fn measure(setting: &Setting<'_>, options: &Options, report: &mut Report) -> Outcome {
    install::ensure(&[install::POSTGRES], setting.ambient)?;
    let (mut service, mut direct) = (Vec::new(), Vec::new());
    let (mut equal, mut others) = (usize::MAX, Vec::new());
    for round in 1..=options.repetitions {
        println!(
            "round {round} of {}: a job of {PROMPTS} prompts, then the same directly",
            options.repetitions
        );
        let done = run_job(setting)?;
        let input = done.documents.iter().map(|document| request(document, &done.sampling));
        let input = input.collect::<Outcome<Vec<String>>>()?.join("\n");
        let (answer, others_cores) = ours::ask(setting, "prompts", &[], input.as_bytes())?;
        direct.push(Phase {
            tokens: ours::number(&answer, "completion_tokens")?,
            wall_s: ours::number(&answer, "seconds")?,
            cpu_s: ours::number(&answer, "cpu_seconds")?,
        });
        equal = equal.min(count_equal(&done.documents, &answer));
        service.push(done.phase);
        others.push(done.others_cores.max(others_cores));
    }
    report.lines.push(Line {
        row: "job",
        work: format!("a job of {PROMPTS} prompts of the sample recipe, through the whole service"),
        ours: Figure::speed(&service),
        against: "the engine given the same prompts directly".to_owned(),
        theirs: Some(Figure::speed(&direct)),
        bar: Some(Bar::AtLeast(BAR)),
        disturbed: are_disturbed(&others),
    });
    report.notes.push(format!(
        "Job: timed from its submission over REST until it has succeeded with its corpus assembled; CPU seconds are those of \
         service and Postgres. {equal} of {PROMPTS} documents are what the engine wrote directly, to the byte \
         (or its beginning, where a gate trimmed it)."
    ));
    let samples = |phases: &[Phase]| phases.iter().map(phase_json).collect::<Vec<_>>();
    let both = json!({"service": samples(&service), "direct": samples(&direct), "equal": equal});
    report.samples.insert("job".to_owned(), both);
    Ok(())
}

/// Submits the sample job with more documents to a fresh service and waits for its end.
fn run_job(setting: &Setting<'_>) -> Outcome<Done> {
    let path = setting.ambient.root.join("templates/jobs/quickstart.json");
    let spec = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut spec: Value =
        serde_json::from_slice(&spec).map_err(|error| format!("{}: {error}", path.display()))?;
    spec["documents"] = json!(PROMPTS);
    let service = Service::start(setting)?;
    let (start, cpu_s, machine_s) = (Instant::now(), service.cpu_s(), process::machine_cpu_s()?);
    let job = http::post(&service.address, "/v1/jobs", &spec)?;
    let id = job["id"].as_str().ok_or("the submitted job has no id")?;
    let path = format!("/v1/jobs/{id}");
    await_success(&service, &path, start)?;
    let (wall_s, cpu_s) = (start.elapsed().as_secs_f64(), service.cpu_s() - cpu_s);
    let others_cores = (process::machine_cpu_s()? - machine_s - cpu_s) / wall_s;
    let page = http::get(&service.address, &format!("{path}/documents?limit={PROMPTS}"))?;
    let documents = page["data"].as_array().cloned().unwrap_or_default();
    if documents.len() != PROMPTS {
        return Err(format!("the job has {} documents, not {PROMPTS}", documents.len()));
    }
    let tokens = documents.iter().filter_map(|it| it["usage"]["completion_tokens"].as_f64()).sum();
    Ok(Done {
        phase: Phase { tokens, wall_s, cpu_s },
        others_cores,
        sampling: spec["sampling"].take(),
        documents,
    })
}

/// Asks for the job's state until it has succeeded; anything else that it may end with is a failure.
fn await_success(service: &Service, path: &str, start: Instant) -> Outcome {
    loop {
        let job = http::get(&service.address, path)?;
        match job["state"].as_str() {
            Some("succeeded") => return Ok(()),
            Some("queued" | "running" | "assembling") if start.elapsed() < PATIENCE => {
                std::thread::sleep(LOOK);
            }
            _ => return Err(format!("the job did not succeed: {job}")),
        }
    }
}

/// A document's prompt, as `engine_bench prompts` reads it.
fn request(document: &Value, sampling: &Value) -> Outcome<String> {
    let seed = document["sampling_seed"].as_str().and_then(|seed| seed.parse::<u64>().ok());
    let seed = seed.ok_or_else(|| format!("a document without a seed: {document}"))?;
    let prompt = &document["prompt"];
    Ok(json!({"prompt": prompt, "sampling": sampling, "seed": seed}).to_string())
}

/// Documents whose text is how the direct answer begins; gates may have trimmed what follows.
fn count_equal(documents: &[Value], direct: &Value) -> usize {
    let texts = direct["texts"].as_array().map_or(&[][..], Vec::as_slice);
    let pairs = documents.iter().zip(texts);
    let is_equal = |(document, text): &(&Value, &Value)| {
        let document = document["text"].as_str().unwrap_or_default().trim();
        !document.is_empty() && text.as_str().unwrap_or_default().trim().starts_with(document)
    };
    pairs.filter(is_equal).count()
}

fn phase_json(phase: &Phase) -> Value {
    json!({"tokens": phase.tokens, "wall_s": phase.wall_s, "cpu_s": phase.cpu_s})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_request() {
        let sampling = json!({"max_tokens": 7});
        let document = json!({"prompt": "a\nb", "sampling_seed": "18446744073709551615"});
        let line = request(&document, &sampling).expect("sound");
        assert!(!line.contains('\n'));
        let line: Value = serde_json::from_str(&line).expect("json");
        assert_eq!(line["seed"], 18_446_744_073_709_551_615_u64);
        assert_eq!((&line["prompt"], &line["sampling"]), (&json!("a\nb"), &sampling));
        assert!(request(&json!({"prompt": "a"}), &sampling).is_err());
    }

    #[test]
    fn only_equal_texts_count() {
        let documents = [json!({"text": "one two"}), json!({"text": "other"}), json!({"text": ""})];
        let direct = json!({"texts": [" one two thr", "one", "three"]});
        assert_eq!(count_equal(&documents, &direct), 1);
    }
}
