//! A server on loopback that says exactly what a test wrote down, byte for byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_inference::http::{Client, GuardPolicy};
use hornbook_inference::{
    Ambient, CompletionRequest, Input, OpenAiBackend, OpenAiConfig, Protocol, RetryPolicy, Secret,
    Timer, preset,
};
use hornbook_types::{EndpointKind, EndpointLimits, Sampling, SystemClock};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Writes these bytes and closes.
    Raw(Vec<u8>),
    /// Closes without a word.
    Drop,
    /// Never answers.
    Hang,
    /// Whatever this says of the request.
    Judge(fn(&Seen) -> Reply),
}

/// One request as it arrived.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers the n-th request with the n-th reply, and all further ones with the last.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = seen.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream, log.clone(), replies.clone()));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, log: Arc<Mutex<Vec<Seen>>>, replies: Vec<Reply>) {
    let Some(seen) = read_request(&mut stream).await else { return };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len()
    };
    let reply = match replies[number.min(replies.len()) - 1].clone() {
        Reply::Judge(judge) => judge(&seen),
        reply => reply,
    };
    match &reply {
        Reply::Raw(bytes) => {
            // The client may well hang up on a body that it does not want.
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Drop | Reply::Judge(_) => {}
        Reply::Hang => std::future::pending().await,
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse::<usize>().unwrap());
        let body = &bytes[end + 4..];
        if body.len() >= length {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            return Some(Seen { head, body: serde_json::from_slice(body).unwrap_or(Value::Null) });
        }
    }
}

/// A whole response.
pub(crate) fn http(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    Reply::Raw(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// A success with this JSON.
pub(crate) fn ok(body: Value) -> Reply {
    http(200, &[("content-type", "application/json")], &body.to_string())
}

/// The answer that a well-behaved server gives.
pub(crate) fn good(text: &str) -> Reply {
    ok(json!({
        "id": "c-1", "object": "chat.completion", "created": 1, "model": "m-2024", "extra": {"x": 1},
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
                     "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
                  "prompt_tokens_details": {"cached_tokens": 2}}
    }))
}

/// A timer that notes each wait and has then waited at once, or never has.
#[derive(Default)]
pub(crate) struct NotingTimer {
    pub(crate) waits: Arc<Mutex<Vec<Duration>>>,
    pub(crate) now: Arc<Mutex<Duration>>,
    pub(crate) endless: bool,
}

impl Timer for NotingTimer {
    fn elapsed(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, at: Duration) -> BoxFuture<'static, ()> {
        let mut now = self.now.lock().unwrap();
        self.waits.lock().unwrap().push(at.saturating_sub(*now));
        if self.endless {
            return Box::pin(std::future::pending());
        }
        *now = (*now).max(at);
        Box::pin(std::future::ready(()))
    }
}

pub(crate) const KEY: &str = "sk-very-secret-123";

pub(crate) fn config(base_url: String) -> OpenAiConfig {
    OpenAiConfig {
        protocol: Protocol::OpenAi,
        preset: preset::row(EndpointKind::Openai, None),
        base_url,
        model: "m".into(),
        api_key: Some(Secret::new(KEY)),
        limits: EndpointLimits::default(),
        options: Map::new(),
        retry: RetryPolicy::default(),
        timeout: Duration::from_secs(60),
    }
}

pub(crate) fn backend(config: OpenAiConfig, timer: NotingTimer) -> OpenAiBackend {
    let ambient = Ambient::new(Arc::new(SystemClock), Arc::new(timer), 1);
    OpenAiBackend::new(config, Client::new(GuardPolicy::local()).unwrap(), ambient).unwrap()
}

pub(crate) fn request(prompt: &str) -> CompletionRequest {
    CompletionRequest {
        input: Input::user(prompt),
        logprobs: None,
        sampling: Sampling::default(),
        seed: 42,
        cancel: CancellationToken::new(),
    }
}
