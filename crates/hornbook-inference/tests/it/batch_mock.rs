//! OpenAI's Batch API on loopback: files, batches, and what goes wrong with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

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
    key: String,
    files: BTreeMap<String, String>,
    looks: BTreeMap<usize, usize>,
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
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
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
            let error = json!({"error": {"message": message, "code": "invalid_api_key"}});
            return (401, error.to_string(), None);
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let path = target.split('?').next().unwrap().strip_prefix("/v1").unwrap();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (method, parts.as_slice()) {
            ("POST", ["files"]) => {
                self.uploads.push(format!("{head}\n{}", &body[..body.len().min(600)]));
                let id = format!("file-{}", self.files.len());
                self.files.insert(id.clone(), body.to_owned());
                (200, json!({"id": id, "object": "file"}).to_string(), None)
            }
            ("POST", ["batches"]) => {
                let asked: Value = serde_json::from_str(body).unwrap();
                let file = &self.files[asked["input_file_id"].as_str().unwrap()];
                let lines = file.lines().filter(|line| line.starts_with('{'));
                let lines = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
                self.batches.push(lines);
                self.made.push(asked);
                let lost = self.lost_answers > 0;
                self.lost_answers = self.lost_answers.saturating_sub(1);
                let batch = self.batch(self.made.len() - 1);
                (200, batch.to_string(), lost.then_some(0))
            }
            ("GET", ["batches"]) => {
                let rows: Vec<Value> =
                    (0..self.made.len()).rev().map(|batch| self.batch(batch)).collect();
                (200, json!({"object": "list", "data": rows, "has_more": false}).to_string(), None)
            }
            ("GET", ["batches", id]) => {
                let number: usize = id.strip_prefix("batch-").unwrap().parse().unwrap();
                if number >= self.made.len() {
                    return (404, json!({"error": {"message": "no batch"}}).to_string(), None);
                }
                *self.looks.entry(number).or_default() += 1;
                (200, self.batch(number).to_string(), None)
            }
            ("GET", ["files", id, "content"]) => {
                self.reads += 1;
                let number: usize = id.split('-').nth(1).unwrap().parse().unwrap();
                let file = self.results(number, id.starts_with("errors"));
                let cut = (self.broken_files > 0).then_some(file.len() / 2);
                self.broken_files = self.broken_files.saturating_sub(1);
                (200, file, cut)
            }
            _ => (404, json!({"error": {"message": first}}).to_string(), None),
        }
    }

    fn end(&self, number: usize) -> End {
        self.ends[number.min(self.ends.len() - 1)].clone()
    }

    fn batch(&self, number: usize) -> Value {
        let is_over = self.looks.get(&number).is_some_and(|looks| *looks > 2);
        let end = self.end(number);
        let status = match (&end, is_over) {
            (End::Never, _) | (_, false) => "in_progress",
            (End::Completed | End::FirstLine(..), true) => "completed",
            (End::Expired { .. }, true) => "expired",
            (End::Cancelled { .. }, true) => "cancelled",
            (End::Failed(_), true) => "failed",
        };
        let mut batch = json!({
            "id": format!("batch-{number}"), "object": "batch", "status": status,
            "metadata": self.made[number]["metadata"], "output_file_id": null,
            "error_file_id": null, "errors": null
        });
        if is_over && status != "in_progress" {
            match end {
                End::Failed(data) => batch["errors"] = json!({"object": "list", "data": data}),
                _ => {
                    batch["output_file_id"] = format!("output-{number}").into();
                    batch["error_file_id"] = format!("errors-{number}").into();
                }
            }
        }
        batch
    }

    /// Results in another order than the requests.
    fn results(&self, number: usize, is_errors: bool) -> String {
        let lines = &self.batches[number];
        let mut file = String::from("not json at all\n{\"custom_id\": \"stranger\"}\n");
        for (at, line) in lines.iter().enumerate().rev() {
            let content = line["body"]["messages"][0]["content"].as_str().unwrap();
            let good = json!({"status_code": 200, "request_id": "r", "body": {
                "model": line["body"]["model"],
                "choices": [{"finish_reason": "stop",
                             "message": {"content": format!("answer to {content}")}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3}}});
            let (response, error, is_error) = match self.end(number) {
                End::Expired { answered } if at >= answered => {
                    let error = json!({"code": "batch_expired", "message": "could not be run"});
                    (Value::Null, error, true)
                }
                End::Cancelled { answered } if at >= answered => continue,
                End::FirstLine(status, body) if at == 0 => {
                    (json!({"status_code": status, "body": body}), Value::Null, status != 200)
                }
                _ => (good, Value::Null, false),
            };
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

async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 16_384];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse::<usize>().unwrap());
        if bytes.len() >= end + 4 + length {
            return Some((head, String::from_utf8_lossy(&bytes[end + 4..]).into_owned()));
        }
    }
}
