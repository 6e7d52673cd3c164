//! An OpenAI-compatible server on loopback that answers, dawdles or misbehaves as told.
//!
//! It speaks HTTP by hand over plain sockets, because half of what it is for (a connection that
//! drops, a body cut short, silence) is what a web framework exists to prevent. What it does to
//! a request depends on the prompt, its sampling seed and how often they were asked before,
//! never on timing: a test that fails, fails again.

mod text;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use text::{Answer, hash};
use wire::{Request, read_request, response, until_closed, write};

/// How a mock endpoint behaves.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Time from the whole request to the answer.
    pub latency: Duration,
    /// Words of an answer, unless `max_tokens` cuts it shorter.
    pub words: usize,
    /// Faults and how many of a thousand requests suffer each.
    pub faults: Vec<(u32, Fault)>,
    /// What happens to every request that `faults` spares.
    pub always: Option<Fault>,
    /// Key that requests must carry; others get a 401 that shows their key.
    pub key: Option<String>,
}

/// One way in which an endpoint misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error of this status, as JSON.
    Status(u16),
    /// 429 with `Retry-After`.
    Throttled {
        /// What `Retry-After` says.
        retry_after_seconds: u32,
    },
    /// 429 whose code says that no credit is left.
    QuotaSpent,
    /// 400 whose code says that the prompt is too long.
    PromptTooLong,
    /// The connection closes without an answer.
    Drop,
    /// The connection closes half way through the body.
    Truncate,
    /// Silence for as long as the client waits.
    Hang,
    /// 200 with a page for people.
    HtmlPage,
    /// 200 with an error where the answer should be.
    ErrorBody,
    /// U+0000 in the middle of the text.
    Nul,
    /// A good answer without `usage`.
    MissingUsage,
    /// A good answer with a `finish_reason` that nobody has heard of.
    OddFinishReason,
    /// A good answer that ends because of `max_tokens`.
    Length,
    /// An answer without a word in it.
    Empty,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self { latency: Duration::ZERO, words: 130, faults: Vec::new(), always: None, key: None }
    }
}

impl MockConfig {
    /// Answers every request with an error of this status.
    pub fn always_status(status: u16) -> Self {
        Self { always: Some(Fault::Status(status)), ..Self::default() }
    }

    /// The troubles of a bad day, all at once: 5 % throttled, 3 % errors, 2 % dropped connections,
    /// 1 % truncated bodies, 1 % hangs.
    pub fn bad_day() -> Self {
        let faults = vec![
            (50, Fault::Throttled { retry_after_seconds: 1 }),
            (30, Fault::Status(500)),
            (20, Fault::Drop),
            (10, Fault::Truncate),
            (10, Fault::Hang),
        ];
        Self { faults, ..Self::default() }
    }
}

/// A running mock endpoint; it ends, with all its connections, when dropped.
pub struct MockEndpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    config: Mutex<MockConfig>,
    log: Mutex<Log>,
    started: Instant,
}

#[derive(Default)]
struct Log {
    /// When each request was whole, in order of arrival.
    arrivals: Vec<Duration>,
    /// Requests per prompt text.
    prompts: BTreeMap<String, u64>,
    /// Requests per (prompt, sampling seed), by their hash.
    asked: BTreeMap<u64, u64>,
    last_body: Value,
    in_flight: usize,
    peak_in_flight: usize,
}

impl MockEndpoint {
    /// Starts a server on a free port of 127.0.0.1.
    pub async fn start(config: MockConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port");
        let shared = Arc::new(Shared {
            config: Mutex::new(config),
            log: Mutex::default(),
            started: Instant::now(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { address, shared, accepting }
    }

    /// The base URL, ending in `/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Behaves so from the next request on.
    pub fn behave(&self, config: MockConfig) {
        *lock(&self.shared.config) = config;
    }

    /// Requests so far, failed ones included.
    pub fn requests(&self) -> usize {
        lock(&self.shared.log).arrivals.len()
    }

    /// Requests per prompt text.
    pub fn prompts(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.log).prompts.clone()
    }

    /// When each request arrived, since the start.
    pub fn arrivals(&self) -> Vec<Duration> {
        lock(&self.shared.log).arrivals.clone()
    }

    /// The most requests that any `window` held.
    pub fn fullest(&self, window: Duration) -> usize {
        let arrivals = self.arrivals();
        let held = |(first, at): (usize, &Duration)| {
            arrivals[first..].iter().take_while(|later| **later < *at + window).count()
        };
        arrivals.iter().enumerate().map(held).max().unwrap_or(0)
    }

    /// Requests that are being answered at this moment.
    pub fn in_flight(&self) -> usize {
        lock(&self.shared.log).in_flight
    }

    /// The most requests that were being answered at once.
    pub fn peak_in_flight(&self) -> usize {
        lock(&self.shared.log).peak_in_flight
    }

    /// Body of the latest request.
    pub fn last_body(&self) -> Value {
        lock(&self.shared.log).last_body.clone()
    }
}

impl Drop for MockEndpoint {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One more request under way, for as long as this lives.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn enter(shared: &'a Shared) -> Self {
        let mut log = lock(&shared.log);
        log.in_flight += 1;
        log.peak_in_flight = log.peak_in_flight.max(log.in_flight);
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        lock(&self.0.log).in_flight -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts until aborted; the connections end with the set that holds them.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepting");
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one connection's requests until either side has had enough.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut unread).await {
        if !request.is_chat() {
            let not_found = error_body("not_found", "no such path");
            if !write(&mut stream, &response(404, &[], &not_found)).await {
                return;
            }
            continue;
        }
        let _in_flight = InFlight::enter(&shared);
        let config = lock(&shared.config).clone();
        let fault = choose(&config, shared.note(&request));
        tokio::time::sleep(config.latency).await;
        if !answer(&mut stream, &config, &request, fault).await {
            return;
        }
    }
}

impl Shared {
    /// Notes a request and returns a word that depends on prompt, seed and repetition alone.
    fn note(&self, request: &Request) -> u64 {
        let mut log = lock(&self.log);
        log.arrivals.push(self.started.elapsed());
        let prompt = request.prompt();
        let key = hash(&[prompt.as_bytes(), request.body["seed"].to_string().as_bytes()]);
        *log.prompts.entry(prompt).or_default() += 1;
        let asked = log.asked.entry(key).or_default();
        *asked += 1;
        let word = hash(&[&key.to_le_bytes(), &asked.to_le_bytes()]);
        log.last_body = request.body.clone();
        word
    }
}

/// The fault that this request suffers, if any.
fn choose(config: &MockConfig, word: u64) -> Option<Fault> {
    let mut place = u32::try_from(word % 1_000).unwrap_or(0);
    for &(share, fault) in &config.faults {
        if place < share {
            return Some(fault);
        }
        place -= share;
    }
    config.always
}

/// Writes the answer; false when the connection is to be closed.
async fn answer(
    stream: &mut TcpStream,
    config: &MockConfig,
    request: &Request,
    fault: Option<Fault>,
) -> bool {
    if let Some(key) = &config.key
        && request.bearer() != Some(key.as_str())
    {
        let shown = format!("incorrect API key provided: {}", request.bearer().unwrap_or("none"));
        return write(stream, &response(401, &[], &error_body("invalid_api_key", &shown))).await;
    }
    let good = good_body(config, request, fault);
    let bytes = match fault {
        Some(Fault::Drop) => return false,
        Some(Fault::Hang) => {
            until_closed(stream).await;
            return false;
        }
        Some(Fault::Truncate) => {
            let whole = response(200, &[], &good);
            write(stream, &whole[..whole.len() - good.len() / 2]).await;
            return false;
        }
        Some(Fault::Status(status)) => response(status, &[], &error_body("mock", "told to fail")),
        Some(Fault::Throttled { retry_after_seconds }) => {
            let seconds = retry_after_seconds.to_string();
            let body = error_body("rate_limit_exceeded", "slow down");
            response(429, &[("retry-after", &seconds)], &body)
        }
        Some(Fault::QuotaSpent) => {
            response(429, &[], &error_body("insufficient_quota", "no credit is left"))
        }
        Some(Fault::PromptTooLong) => {
            response(400, &[], &error_body("context_length_exceeded", "too long"))
        }
        Some(Fault::HtmlPage) => {
            response(200, &[("content-type", "text/html")], "<html><body>Welcome</body></html>")
        }
        Some(Fault::ErrorBody) => response(200, &[], &error_body("overloaded", "try later")),
        _ => response(200, &[], &good),
    };
    write(stream, &bytes).await
}

/// The body of a good answer, or of one that is only a little odd.
fn good_body(config: &MockConfig, request: &Request, fault: Option<Fault>) -> String {
    let max_tokens = request.body["max_tokens"].as_u64();
    let seed = request.body["seed"].to_string();
    let mut answer = Answer::write(&request.prompt(), &seed, config.words, max_tokens);
    let mut finish_reason = if answer.is_cut { "length" } else { "stop" };
    match fault {
        Some(Fault::Nul) => {
            let middle = answer.text.find(' ').unwrap_or(0);
            answer.text.insert(middle, '\0');
        }
        Some(Fault::OddFinishReason) => finish_reason = "moon_phase",
        Some(Fault::Length) => finish_reason = "length",
        Some(Fault::Empty) => answer.text.clear(),
        _ => {}
    }
    let prompt_tokens = request.prompt().len().div_ceil(4);
    let mut body = json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": 0,
        "model": request.body["model"], "system_fingerprint": null,
        "choices": [{"index": 0, "logprobs": null, "finish_reason": finish_reason,
                     "message": {"role": "assistant", "content": answer.text}}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": answer.tokens,
                  "total_tokens": prompt_tokens as u64 + answer.tokens},
    });
    if fault == Some(Fault::MissingUsage) {
        body["usage"] = Value::Null;
    }
    body.to_string()
}

fn error_body(code: &str, message: &str) -> String {
    json!({"error": {"message": message, "type": "mock_error", "param": null, "code": code}})
        .to_string()
}

#[cfg(test)]
mod tests;
