//! OpenAI's Batch API on loopback: files, batches, and what goes wrong with them. It refuses what
//! the real one refuses.

#[path = "batch_rules.rs"]
mod rules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a batch ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It does not.
    Never,
    /// With an answer to every line.
    Completed,
    /// With answers to the first lines only; the others are told in the error file.
    Expired { answered: usize },
    /// The same, and the others are told nowhere.
    Cancelled { answered: usize },
    /// Before it began.
    Failed(Value),
    /// With this response, given as status and body, to the first line, and answers to the others.
    FirstLine(u16, Value),
}

#[derive(Default)]
pub(crate) struct State {
    /// How the batches end, in the order of their making; the last counts for all further ones.
    pub(crate) ends: Vec<End>,
    /// Times that the next answers to "make a batch" are lost on their way.
    pub(crate) lost_answers: usize,
    /// Times that the next answers to "make a batch" name it in a way that no path takes.
    pub(crate) odd_ids: usize,
    /// Status and error of the next answers to "make a batch", by which none is made.
    pub(crate) create_faults: Vec<(u16, &'static str)>,
    /// Times that the next lists of batches fail.
    pub(crate) list_faults: usize,
    /// Times that the next lists of batches show none.
    pub(crate) blind_lists: usize,
    /// Lists of batches that were asked for.
    pub(crate) lists: usize,
    /// Times that the next uploads and looks fail.
    pub(crate) outages: usize,
    /// What the failures of an outage say about when to come back.
    pub(crate) retry_after_seconds: Option<u32>,
    /// Times that the next uploads are answered only after so long.
    pub(crate) slow_uploads: Vec<Duration>,
    /// Uploads that were deleted.
    pub(crate) deleted: Vec<String>,
    /// What the first line of results is instead.
    pub(crate) first_result: Option<String>,
    /// The id of output files is one that no path takes.
    pub(crate) has_odd_output: bool,
    /// Every request has status 400.
    pub(crate) declines_all: bool,
    /// Times that the next looks at a batch find none.
    pub(crate) unknown_looks: usize,
    /// Output files are gone.
    pub(crate) has_no_output: bool,
    /// Times that the next result files break off.
    pub(crate) broken_files: usize,
    /// The requests of each batch, in the order of their making.
    pub(crate) batches: Vec<Vec<Value>>,
    /// Batch bodies as they were asked for.
    pub(crate) made: Vec<Value>,
    /// Times that result files were read.
    pub(crate) reads: usize,
    /// Head and beginning of each upload.
    pub(crate) uploads: Vec<String>,
    /// Bodies that were refused, and why.
    pub(crate) refused: Vec<String>,
    key: String,
    files: BTreeMap<String, String>,
    looks: BTreeMap<usize, usize>,
    /// What the validation of a batch's file said.
    faults: BTreeMap<usize, Value>,
}

/// A running server; it ends with the test's runtime.
pub(crate) struct BatchMock {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl BatchMock {
    /// A server that wants requests to carry `key`.
    pub(crate) async fn start(key: &str, ends: Vec<End>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { ends, key: key.to_owned(), ..State::default() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many requests each batch held.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.state().batches.iter().map(Vec::len).collect()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some((head, body)) = read_request(&mut stream).await else { return };
    let first = head.lines().next().unwrap_or_default().to_owned();
    let (status, answer, cut) = state.lock().unwrap().answer(&first, &head, &body);
    let (wait, retry_after) = {
        let mut state = state.lock().unwrap();
        let is_upload = first.starts_with("POST /v1/files");
        let wait = if is_upload { state.slow_uploads.pop() } else { None };
        let retry_after = state.retry_after_seconds.filter(|_| status == 503);
        (wait, retry_after.map_or_else(String::new, |wait| format!("retry-after: {wait}\r\n")))
    };
    if let Some(wait) = wait {
        tokio::time::sleep(wait).await;
    }
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{retry_after}content-length: {}\r\n\r\n",
        answer.len()
    );
    let whole = head + &answer;
    let bytes = &whole.as_bytes()[..cut.unwrap_or(whole.len()).min(whole.len())];
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
}

impl State {
    /// Status, body, and where the answer breaks off.
    fn answer(&mut self, first: &str, head: &str, body: &str) -> (u16, String, Option<usize>) {
        if !head.contains(&format!("authorization: Bearer {}", self.key)) {
            let message = format!("bad key: {head}");
            return (401, rules::error("invalid_api_key", &message).to_string(), None);
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let path = target.split('?').next().unwrap().strip_prefix("/v1").unwrap();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let is_out = self.outages > 0 && matches!(parts.as_slice(), ["files"] | ["batches", _]);
        if is_out {
            self.outages -= 1;
            return (503, rules::error("server_error", "overloaded").to_string(), None);
        }
        match (method, parts.as_slice()) {
            ("DELETE", ["files", id]) => {
                let is_there = self.files.remove(*id).is_some();
                self.deleted.push((*id).to_owned());
                let gone = json!({"id": id, "object": "file", "deleted": is_there});
                (if is_there { 200 } else { 404 }, gone.to_string(), None)
            }
            ("POST", ["files"]) => match rules::uploaded(head, body) {
                Ok(file) => {
                    self.uploads.push(format!("{head}\n{}", &body[..body.len().min(600)]));
                    let id = format!("file-{}", self.uploads.len() - 1);
                    let row = json!({
                        "id": id, "object": "file", "bytes": file.len(), "created_at": 1,
                        "filename": "x.jsonl", "purpose": "batch", "status": "processed"
                    });
                    self.files.insert(id, file);
                    (200, row.to_string(), None)
                }
                Err(fault) => self.refuse(400, fault),
            },
            ("POST", ["chat", "completions"]) => {
                let body: Value = serde_json::from_str(body).unwrap_or_default();
                match rules::chat_fault(&body) {
                    Some(fault) => self.refuse(400, fault),
                    None => (200, completion(&body).to_string(), None),
                }
            }
            ("POST", ["batches"]) => self.make(body),
            ("GET", ["batches"]) => {
                self.lists += 1;
                if self.list_faults > 0 {
                    self.list_faults -= 1;
                    return (500, rules::error("server_error", "try again").to_string(), None);
                }
                self.list(target)
            }
            ("GET", ["batches", id]) => {
                let number: usize = id.strip_prefix("batch-").unwrap().parse().unwrap();
                let is_unknown = self.unknown_looks > 0;
                self.unknown_looks = self.unknown_looks.saturating_sub(1);
                if number >= self.made.len() || is_unknown {
                    return (404, rules::error("", "No batch found").to_string(), None);
                }
                *self.looks.entry(number).or_default() += 1;
                (200, self.batch(number).to_string(), None)
            }
            ("GET", ["files", id, "content"]) => {
                self.reads += 1;
                if self.has_no_output {
                    return (404, rules::error("", "No such File object").to_string(), None);
                }
                let number: usize = id.split('-').nth(1).unwrap().parse().unwrap();
                let file = self.results(number, id.starts_with("error"));
                let cut = (self.broken_files > 0).then_some(file.len() / 2);
                self.broken_files = self.broken_files.saturating_sub(1);
                (200, file, cut)
            }
            _ => (404, rules::error("", first).to_string(), None),
        }
    }

    fn refuse(&mut self, status: u16, fault: String) -> (u16, String, Option<usize>) {
        let error = rules::error("", &fault).to_string();
        self.refused.push(fault);
        (status, error, None)
    }

    fn make(&mut self, body: &str) -> (u16, String, Option<usize>) {
        let asked: Value = serde_json::from_str(body).unwrap_or_default();
        let file = asked["input_file_id"].as_str().and_then(|id| self.files.get(id));
        let Some(file) = file else {
            return self.refuse(400, "Invalid 'input_file_id'.".to_owned());
        };
        let (requests, number) = (rules::requests(file), self.made.len());
        if let Some(fault) = rules::create_fault(&asked) {
            return self.refuse(400, fault);
        }
        if let Some((status, code)) = self.create_faults.pop() {
            return (status, rules::error(code, "not now").to_string(), None);
        }
        match requests {
            Ok(lines) => self.batches.push(lines),
            Err(faults) => {
                self.refused.push(faults.to_string());
                self.faults.insert(number, faults);
                self.batches.push(Vec::new());
            }
        }
        self.made.push(asked);
        if self.odd_ids > 0 {
            self.odd_ids -= 1;
            return (200, json!({"id": "../odd", "object": "batch"}).to_string(), None);
        }
        let lost = self.lost_answers > 0;
        self.lost_answers = self.lost_answers.saturating_sub(1);
        (200, self.batch(number).to_string(), lost.then_some(0))
    }

    /// A page of all batches, newest first.
    fn list(&mut self, target: &str) -> (u16, String, Option<usize>) {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let field = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let limit: usize = field("limit").map_or(20, |limit| limit.parse().unwrap_or(0));
        if !(1..=100).contains(&limit) {
            return self.refuse(400, "Invalid 'limit'.".to_owned());
        }
        if self.blind_lists > 0 {
            self.blind_lists -= 1;
            let none = json!({"object": "list", "has_more": false, "data": []});
            return (200, none.to_string(), None);
        }
        let end = match field("after").map(|after| after.strip_prefix("batch-")) {
            None => self.made.len(),
            Some(after) => match after.and_then(|number| number.parse().ok()) {
                Some(number) => number,
                None => return self.refuse(400, "Invalid 'after'.".to_owned()),
            },
        };
        let start = end.saturating_sub(limit);
        let rows: Vec<Value> = (start..end).rev().map(|batch| self.batch(batch)).collect();
        let list = json!({
            "object": "list", "has_more": start > 0,
            "first_id": rows.first().map(|row| &row["id"]),
            "last_id": rows.last().map(|row| &row["id"]), "data": rows
        });
        (200, list.to_string(), None)
    }

    fn end(&self, number: usize) -> End {
        if let Some(faults) = self.faults.get(&number) {
            return End::Failed(faults.clone());
        }
        self.ends[number.min(self.ends.len() - 1)].clone()
    }

    fn batch(&self, number: usize) -> Value {
        let is_over = self.looks.get(&number).is_some_and(|looks| *looks > 2);
        let end = self.end(number);
        let status = match (&end, is_over) {
            (_, false) if !self.looks.contains_key(&number) => "validating",
            (End::Never, _) | (_, false) => "in_progress",
            (End::Completed | End::FirstLine(..), true) => "completed",
            (End::Expired { .. }, true) => "expired",
            (End::Cancelled { .. }, true) => "cancelled",
            (End::Failed(_), true) => "failed",
        };
        let mut batch = json!({
            "id": format!("batch-{number}"), "object": "batch", "status": status,
            "endpoint": "/v1/chat/completions", "completion_window": "24h", "created_at": now_seconds(),
            "input_file_id": self.made[number]["input_file_id"],
            "metadata": self.made[number]["metadata"], "output_file_id": null,
            "error_file_id": null, "errors": null
        });
        if is_over && status != "in_progress" {
            match end {
                End::Failed(data) => batch["errors"] = json!({"object": "list", "data": data}),
                _ => {
                    // A file that would be empty is not made.
                    for (kind, is_errors) in [("output", false), ("error", true)] {
                        let has_lines = !self.lines(number, is_errors).is_empty();
                        let id = has_lines.then(|| match self.has_odd_output {
                            true => format!("../{kind}-{number}"),
                            false => format!("{kind}-{number}"),
                        });
                        batch[format!("{kind}_file_id")] = json!(id);
                    }
                }
            }
        }
        batch
    }

    /// Results in another order than the requests, among lines that are nobody's.
    fn results(&self, number: usize, is_errors: bool) -> String {
        let strange = "not json at all\n{\"custom_id\": \"stranger\"}\n".to_owned();
        strange + &self.lines(number, is_errors)
    }

    fn lines(&self, number: usize, is_errors: bool) -> String {
        let lines = &self.batches[number];
        let mut file = String::new();
        for (at, line) in lines.iter().enumerate().rev() {
            let good = json!({
                "status_code": 200, "request_id": "r", "body": completion(&line["body"])
            });
            let refused = |status: u16, body: Value| json!({"status_code": status, "request_id": "r", "body": body});
            let declined = self.declines_all.then(|| "no".to_owned());
            let fault = declined.or_else(|| rules::chat_fault(&line["body"]));
            let (response, error, is_error) = match (self.end(number), fault) {
                (End::Expired { answered }, _) if at >= answered => {
                    let error = json!({"code": "batch_expired", "message": "This request could not be executed before the completion window expired."});
                    (Value::Null, error, true)
                }
                (End::Cancelled { answered }, _) if at >= answered => continue,
                (End::FirstLine(status, body), _) if at == 0 => {
                    (refused(status, body), Value::Null, status != 200)
                }
                (_, Some(fault)) => (refused(400, rules::error("", &fault)), Value::Null, true),
                _ => (good, Value::Null, false),
            };
            if let (0, Some(result)) = (at, &self.first_result) {
                if !is_errors {
                    file += &result.replace("ID", line["custom_id"].as_str().unwrap());
                }
                continue;
            }
            if is_error == is_errors {
                let row = json!({
                    "id": format!("batch_req_{at}"), "custom_id": line["custom_id"],
                    "response": response, "error": error
                });
                file += &format!("{row}\n");
            }
        }
        file
    }
}

fn now_seconds() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// The answer to a chat.
fn completion(body: &Value) -> Value {
    let content = body["messages"][0]["content"].as_str().unwrap_or_default();
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
                     "message": {"role": "assistant", "refusal": null,
                                 "content": format!("answer to {content}")}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    })
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 16_384];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        // Names of headers mean the same in any case.
        let head: Vec<String> = String::from_utf8_lossy(&bytes[..end])
            .lines()
            .map(|line| match line.split_once(": ") {
                Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
                None => line.to_owned(),
            })
            .collect();
        let head = head.join("\n");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse::<usize>().unwrap());
        if bytes.len() >= end + 4 + length {
            return Some((head, String::from_utf8_lossy(&bytes[end + 4..]).into_owned()));
        }
    }
}
