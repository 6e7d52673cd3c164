//! Result files: each line goes to whoever waits for it, and what cannot be read fails by name.

use serde_json::Value;

use super::Shared;
use super::api::Line;
use super::attend::word;
use super::journal::RequestId;
use super::waiting::Size;
use crate::openai::sparse::{self, BATCH_LINE};
use crate::retry::classify_status;
use crate::{CompletionError, ErrorClass};

/// What one reading of all files came to, apart from the answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Lines that nobody can read, and that do not say whose they are.
    pub(super) nameless: usize,
    /// A file ended within a line, as one does that broke off.
    pub(super) is_cut: bool,
}

/// Reads the files once.
pub(super) async fn read(shared: &Shared, files: &[String]) -> Result<Reading, CompletionError> {
    let mut reading = Reading::default();
    for file in files {
        shared.api.read_lines(file, |line| hand_over(shared, line, &mut reading)).await?;
    }
    Ok(reading)
}

fn hand_over(shared: &Shared, line: Line<'_>, reading: &mut Reading) {
    let (bytes, code) = match line {
        Line::Whole(bytes) => match sparse::read(bytes, &BATCH_LINE) {
            Ok(row) => return hand_over_row(shared, row),
            Err(_) => (bytes, "batch_answer_damaged"),
        },
        Line::Overlong(head) => (head, "body_too_large"),
        Line::Cut(bytes) => match sparse::read(bytes, &BATCH_LINE) {
            Ok(row) => return hand_over_row(shared, row),
            Err(_) => {
                reading.is_cut = true;
                return;
            }
        },
    };
    if bytes.trim_ascii().is_empty() {
        return;
    }
    // It was paid for, and would be again.
    match named_in(bytes) {
        Some(id) if shared.desk.size(id).is_some() => {
            let error = lost(shared, id, code, "the line with this answer cannot be read");
            shared.desk.answer(id, Err(error));
        }
        Some(_) => {}
        None => reading.nameless += 1,
    }
}

fn hand_over_row(shared: &Shared, mut row: Value) {
    let id = row.get("custom_id").and_then(Value::as_str).and_then(RequestId::parse);
    let Some((id, size)) = id.and_then(|id| Some((id, shared.desk.size(id)?))) else { return };
    let asked = shared.api.asked(size.prompt_bytes);
    let status = row.pointer("/response/status_code").and_then(Value::as_u64);
    let body = row.pointer_mut("/response/body").map(Value::take).unwrap_or_default();
    let answer = match status {
        Some(200) => match asked.read_value(&body) {
            // Whatever it holds, it was run: to ask again would be to pay again.
            Err(error) if error.class == ErrorClass::Transient => {
                let usage = if error.usage == Default::default() {
                    spent(shared, size)
                } else {
                    error.usage
                };
                Err(CompletionError { class: ErrorClass::Permanent, ..error }.paid(usage))
            }
            answer => answer,
        },
        Some(status) => {
            let status = u16::try_from(status).unwrap_or(0);
            Err(asked.read_failure(status, body.to_string().as_bytes()))
        }
        None => {
            let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str);
            let (word, message) = (text("/error/code"), text("/error/message"));
            Err(not_run(shared, word.unwrap_or_default(), message.unwrap_or_default()))
        }
    };
    let answer = match answer {
        Ok(completion) => {
            shared.streak.ends();
            Ok(completion)
        }
        Err(error) => {
            let error = shared.streak.judge(error, shared.ambient.timer.elapsed());
            shared.hold_if_paused(&error);
            Err(error)
        }
    };
    shared.desk.answer(id, answer);
}

/// The error of a request whose answer was computed and cannot be had.
pub(super) fn lost(
    shared: &Shared,
    id: RequestId,
    code: &'static str,
    message: &str,
) -> CompletionError {
    let usage = spent(shared, shared.desk.size(id).unwrap_or_default());
    CompletionError::new(ErrorClass::Permanent, code, message).paid(usage)
}

/// As much as an answer may have cost that nobody can read.
fn spent(shared: &Shared, size: Size) -> hornbook_types::Usage {
    let asked = shared.api.asked(size.prompt_bytes);
    asked.usage(None, Some(size.max_tokens.into()), 0, "").0
}

/// The error of a request that the provider did not run.
fn not_run(shared: &Shared, said: &str, message: &str) -> CompletionError {
    let code = said.strip_prefix("batch_").map_or("batch_not_run", word);
    let row = classify_status(0, &[said], message).unwrap_or((ErrorClass::Transient, code));
    shared.api.asked(0).error(row, message)
}

/// The request that a line is about which cannot be read.
fn named_in(line: &[u8]) -> Option<RequestId> {
    let mark = RequestId::PREFIX.as_bytes();
    line.windows(mark.len()).enumerate().filter(|(_, seen)| *seen == mark).find_map(|(at, _)| {
        let text = line.get(at..at + mark.len() + 2 * RequestId::BYTES)?;
        RequestId::parse(std::str::from_utf8(text).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_line_still_says_whose_it_is() {
        let id = RequestId::of(b"{}", 1);
        let line = format!("{{\"id\": \"hb-x\", \"custom_id\": \"{id}\", \"respon\u{0}");
        assert_eq!(named_in(line.as_bytes()), Some(id));
        assert_eq!(named_in(&line.as_bytes()[..50]), None);
        assert_eq!(named_in(b"hb-"), None);
    }
}
