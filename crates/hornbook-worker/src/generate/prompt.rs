//! One prompt's way: seed, prompt, completion, judgement, document.

use std::sync::Arc;
use std::time::Instant;

use hornbook_corpus::{Answer, judge};
use hornbook_db::{DbError, endpoints, events};
use hornbook_inference::{Completion, CompletionError, CompletionRequest, ErrorClass, Input};
use hornbook_prompt::PlannedPrompt;
use hornbook_types::{
    Document, EndpointState, FinishReason, PinnedLine, SeedRecord, Slug, Usage, Verdict,
};
use serde_json::{Map, Value};

use super::chunk::Chunk;
use super::commit::{Committer, Finished};
use super::desk::Desk;
use super::puller::Live;
use crate::limits::ERROR_BYTES;
use crate::shared::until_answered;

/// A prompt that an endpoint has taken.
pub(crate) struct Task {
    pub(crate) desk: Arc<Desk>,
    pub(crate) committer: Committer,
    pub(crate) live: Arc<Live>,
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) seq: u64,
}

enum Outcome {
    /// It ended, well or badly: a document to store.
    Document(Box<Document>),
    /// Another endpoint, or this one later, should have it.
    PutBack,
    /// Nobody wants it any more.
    Dropped,
}

/// Tells the chunk that a prompt is gone when its task panics; else the chunk would wait for ever.
struct Watch<'a> {
    task: &'a Task,
    panicked: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.panicked {
            tracing::error!(job = %self.task.chunk.job.id, seq = self.task.seq, "a prompt's task panicked");
            self.task.chunk.ended(false);
            self.task.desk.announce();
        }
    }
}

/// Takes the prompt to its end; the chunk hears of it, whatever happens.
pub(crate) async fn run(task: Task) {
    let mut watch = Watch { task: &task, panicked: true };
    let outcome = outcome(&task).await;
    watch.panicked = false;
    drop(watch);
    match outcome {
        Outcome::Document(document) => {
            let price = &task.live.price;
            let usd = (document.usage.prompt_tokens as f64 * price.input_per_million
                + document.usage.completion_tokens as f64 * price.output_per_million)
                / 1e6;
            let chunk = Arc::clone(&task.chunk);
            let desk = Arc::clone(&task.desk);
            task.committer.store(Finished { desk, chunk, document: *document, usd }).await;
        }
        Outcome::PutBack => {
            task.chunk.put_back(task.seq);
            task.desk.end_if_over(&task.chunk).await;
        }
        Outcome::Dropped => {
            task.chunk.ended(false);
            task.desk.end_if_over(&task.chunk).await;
        }
    }
    task.desk.announce();
}

async fn outcome(task: &Task) -> Outcome {
    let Task { desk, live, chunk, seq, .. } = task;
    let db = &desk.shared.db;
    let found = until_answered(&chunk.given_up, || chunk.planned(db, *seq)).await;
    let (planned, seed) = match found {
        Ok(found) => found,
        // Waiting for the database was cut short: nobody wants the answer any more.
        Err(error) if error.is_retryable() => return Outcome::Dropped,
        Err(error) => {
            // Not handed back: the next owner would fare no better, and so on for ever.
            tracing::error!(%error, job = %chunk.job.id, seq, "cannot read a seed");
            let planned = chunk.job.prompter.plan().at(*seq);
            let seed = SeedRecord { seq: planned.seed_seq, data: Map::new() };
            let document = failed(chunk, planned, seed, "seed_unreadable", &error.to_string());
            return Outcome::Document(Box::new(named(document, &live.name)));
        }
    };
    let prompt = match desk.renders.render(&chunk.job, *seq, &seed).await {
        Ok(prompt) => prompt,
        Err(message) => {
            let document = failed(chunk, planned, seed, "render_failed", &message);
            return Outcome::Document(Box::new(named(document, &live.name)));
        }
    };
    let cancel = match live.is_local {
        true => chunk.job_cancelled.child_token(),
        false => chunk.given_up.child_token(),
    };
    let request = CompletionRequest {
        input: Input::user(prompt.clone()),
        sampling: chunk.job.spec.sampling.clone(),
        seed: planned.sampling_seed,
        logprobs: None,
        cancel: cancel.clone(),
    };
    let sent = Instant::now();
    let answered = live.backend.complete(request).await;
    let latency_ms = u32::try_from(sent.elapsed().as_millis()).unwrap_or(u32::MAX);
    let mut document = match answered {
        Ok(completion) => judged(chunk, planned, seed, &prompt, completion).await,
        Err(error) => match error.class {
            ErrorClass::Cancelled if cancel.is_cancelled() => return Outcome::Dropped,
            ErrorClass::Cancelled => {
                // The endpoint gave up by itself, because it is going away for instance.
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = tokio::time::sleep(crate::limits::ENDPOINTS_INTERVAL) => {}
                }
                return Outcome::PutBack;
            }
            ErrorClass::Endpoint => {
                pause_endpoint(task, &error).await;
                return Outcome::PutBack;
            }
            ErrorClass::Unavailable => return Outcome::PutBack,
            _ => failed(chunk, planned, seed, error.code, &error.message),
        },
    };
    document.latency_ms = latency_ms;
    document.prompt = prompt;
    if document.model.is_empty() {
        live.backend.model().clone_into(&mut document.model);
    }
    Outcome::Document(Box::new(named(document, &live.name)))
}

/// A document of an answer, with what the gates say of it.
async fn judged(
    chunk: &Arc<Chunk>,
    planned: PlannedPrompt,
    seed: SeedRecord,
    prompt: &str,
    completion: Completion,
) -> Document {
    let mut document = blank(chunk, planned, seed);
    let job = Arc::clone(&chunk.job);
    let (line, prompt) = (planned.line, prompt.to_owned());
    // Off the async threads: an answer may be 16 MiB of hostile text.
    let judging = tokio::task::spawn_blocking(move || {
        let judgement = job.prompter.line(line).map(|line| {
            let answer = Answer {
                prompt: &prompt,
                text: &completion.text,
                finish_reason: &completion.finish_reason,
                completion_tokens: completion.usage.completion_tokens,
                output: line.template_spec.output,
            };
            let judged = judge(&job.spec.gates, &line.audience_spec, answer);
            (judged.verdict, judged.reason, judged.text.to_owned(), judged.scores)
        });
        (judgement, completion)
    });
    let Ok((Some((verdict, reason, text, scores)), completion)) = judging.await else {
        document.verdict = Verdict::Failed;
        document.reason = Some("gate_failed".to_owned());
        document.error = Some("a gate panicked on this answer".to_owned());
        return document;
    };
    document.verdict = verdict;
    document.reason = reason.map(|reason| reason.as_str().to_owned());
    document.text = text;
    document.scores = scores;
    if completion.had_nul {
        document.scores.insert("had_nul".to_owned(), Value::Bool(true));
    }
    if completion.usage_estimated {
        document.scores.insert("usage_estimated".to_owned(), Value::Bool(true));
    }
    document.usage = completion.usage;
    document.finish_reason = completion.finish_reason;
    document.model = completion.model;
    document
}

/// A document that says why there is no answer.
pub(crate) fn failed(
    chunk: &Chunk,
    planned: PlannedPrompt,
    seed: SeedRecord,
    code: &str,
    message: &str,
) -> Document {
    let mut document = blank(chunk, planned, seed);
    document.reason = Some(code.to_owned());
    let end = message.floor_char_boundary(ERROR_BYTES);
    document.error = Some(message[..end].replace('\0', "\u{FFFD}"));
    document
}

/// What is known of a prompt before anybody answered it.
fn blank(chunk: &Chunk, planned: PlannedPrompt, seed: SeedRecord) -> Document {
    let line: &PinnedLine = &chunk.job.spec.lines[planned.line];
    Document {
        seq: planned.seq,
        prompt: String::new(),
        text: String::new(),
        usage: Usage::default(),
        audience: line.audience.clone(),
        template: line.template.clone(),
        format: line.template_spec.format.clone(),
        seed_seq: planned.seed_seq,
        seed_data: seed.data,
        endpoint: chunk.job.spec.endpoints[0].clone(),
        model: String::new(),
        sampling_seed: planned.sampling_seed,
        finish_reason: FinishReason::None,
        latency_ms: 0,
        verdict: Verdict::Failed,
        reason: None,
        error: None,
        scores: Map::new(),
    }
}

fn named(mut document: Document, endpoint: &Slug) -> Document {
    document.endpoint = endpoint.clone();
    document
}

/// Only a person can mend this endpoint: nothing more goes there, and the job's owner is told.
async fn pause_endpoint(task: &Task, error: &CompletionError) {
    let db = &task.desk.shared.db;
    let name = &task.live.name;
    let message = error.to_string();
    let noted: Result<(), DbError> = async {
        if endpoints::set_state(db, name, EndpointState::Paused, Some(&message)).await? {
            tracing::warn!(endpoint = %name, message, "endpoint paused");
            let warning = format!("endpoint {name} was paused: {message}");
            events::warning(db, task.chunk.job.id, "endpoint_paused", &warning).await?;
        }
        Ok(())
    }
    .await;
    if let Err(error) = noted {
        tracing::warn!(%error, endpoint = %name, "cannot pause an endpoint");
    }
    // The loop of this endpoint ends with the next look at the endpoints; until then it must not
    // take the same prompt again at once.
    tokio::time::sleep(crate::limits::ENDPOINTS_INTERVAL).await;
}
