//! What the gates say of an answer.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hornbook_corpus::{Answer, judge};
use hornbook_inference::Completion;
use hornbook_types::{Document, Reason, Verdict};
use serde_json::{Map, Value};

use super::chunk::Prompt;
use super::job::JobRun;
use super::prompt::blank;
use crate::limits::JUDGED_HERE_BYTES;

/// What is kept of a judgement: the text only when it was cut or masked.
struct Judged {
    verdict: Verdict,
    reason: Option<Reason>,
    changed: Option<String>,
    scores: Map<String, Value>,
}

/// A document of an answer, with what the gates say of it.
pub(crate) async fn judged(job: &Arc<JobRun>, prompt: Prompt, completion: Completion) -> Document {
    let Prompt { planned, seed_data, text, .. } = prompt;
    let mut document = blank(job, planned, seed_data);
    let (judged, text, completion) = match text.len() + completion.text.len() <= JUDGED_HERE_BYTES {
        true => {
            let seed = &document.seed_data;
            let judged =
                catch_unwind(AssertUnwindSafe(|| say(job, planned.line, &text, seed, &completion)));
            (judged.ok(), text, completion)
        }
        // Off the async threads: an answer may be 16 MiB of hostile text.
        false => {
            let seed = std::mem::take(&mut document.seed_data);
            let (job, held) = (Arc::clone(job), Arc::new((text, seed, completion)));
            let lent = Arc::clone(&held);
            let judging = tokio::task::spawn_blocking(move || {
                say(&job, planned.line, &lent.0, &lent.1, &lent.2)
            });
            let judged = judging.await.ok();
            let (text, seed, completion) = Arc::unwrap_or_clone(held);
            document.seed_data = seed;
            (judged, text, completion)
        }
    };
    document.prompt = text;
    // Whatever becomes of the answer, it was paid for.
    document.usage = completion.usage;
    document.finish_reason = completion.finish_reason;
    document.model = completion.model;
    let Some(judged) = judged else {
        document.verdict = Verdict::Failed;
        document.reason = Some("gate_failed".to_owned());
        document.error = Some("a gate panicked on this answer".to_owned());
        return document;
    };
    document.verdict = judged.verdict;
    document.reason = judged.reason.map(|reason| reason.as_str().to_owned());
    document.text = judged.changed.unwrap_or(completion.text);
    document.scores = judged.scores;
    if completion.had_nul {
        document.scores.insert("had_nul".to_owned(), Value::Bool(true));
    }
    if completion.usage_estimated {
        document.scores.insert("usage_estimated".to_owned(), Value::Bool(true));
    }
    document
}

fn say(
    job: &JobRun,
    line: usize,
    prompt: &str,
    seed: &Map<String, Value>,
    completion: &Completion,
) -> Judged {
    let line = &job.spec.lines[line];
    let answer = Answer {
        prompt,
        text: &completion.text,
        seed,
        finish_reason: &completion.finish_reason,
        completion_tokens: completion.usage.completion_tokens,
        output: line.template_spec.output,
    };
    let judged = judge(&job.spec.gates, &line.audience_spec, answer);
    let is_whole =
        matches!(&judged.text, Cow::Borrowed(text) if text.len() == completion.text.len());
    Judged {
        verdict: judged.verdict,
        reason: judged.reason,
        changed: (!is_whole).then(|| judged.text.into_owned()),
        scores: judged.scores,
    }
}
