//! An OpenAI-compatible server on loopback that answers, dawdles or misbehaves as told.
//!
//! It speaks HTTP by hand over plain sockets, because half of what it is for (a connection that
//! drops, a body cut short, silence) is what a web framework exists to prevent. What it does to
//! a request depends on the prompt, its sampling seed and how often they were asked before,
//! never on timing: a test that fails, fails again.

mod answer;
mod fault;
mod text;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use answer::{Written, answer, answer_tokens, error_body};
pub use fault::{Fault, MockConfig};
use text::{Answer, hash};
use wire::{Request, read_request, response, write};

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
    /// Tokens that each of them takes when it is answered.
    tokens: Vec<u64>,
    /// Requests per prompt text.
    prompts: BTreeMap<String, u64>,
    ledger: Ledger,
    last_body: Value,
    in_flight: usize,
    peak_in_flight: usize,
    /// Requests under way, by key.
    under_way: BTreeMap<u64, u32>,
    /// Requests that came while the same was under way.
    overlaps: u64,
}

/// What was asked and answered, by [`key`].
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Requests that arrived whole.
    pub asked: BTreeMap<u64, u64>,
    /// Answers that were handed to the network whole, so that somebody pays for them.
    pub answered: BTreeMap<u64, u64>,
    /// When each was answered first, since the start.
    pub answered_at: BTreeMap<u64, Duration>,
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

    /// What was asked and answered up to one moment.
    pub fn ledger(&self) -> Ledger {
        lock(&self.shared.log).ledger.clone()
    }

    /// Prompts that were answered so far.
    pub fn prompts_answered(&self) -> usize {
        lock(&self.shared.log).ledger.answered.len()
    }

    /// When each request arrived, since the start.
    pub fn arrivals(&self) -> Vec<Duration> {
        lock(&self.shared.log).arrivals.clone()
    }

    /// Requests per second, from the first one to the last.
    pub fn rate(&self) -> f64 {
        self.rate_since(0)
    }

    /// Requests per second, leaving out so many at the beginning.
    pub fn rate_since(&self, first: usize) -> f64 {
        let arrivals = self.arrivals();
        let Some(counted @ [first, .., last]) = arrivals.get(first..) else { return 0.0 };
        (counted.len() - 1) as f64 / (*last - *first).as_secs_f64()
    }

    /// The most requests that any `window` held.
    pub fn fullest(&self, window: Duration) -> usize {
        let arrivals = self.arrivals();
        let held = |(first, at): (usize, &Duration)| {
            arrivals[first..].iter().take_while(|later| **later < *at + window).count()
        };
        arrivals.iter().enumerate().map(held).max().unwrap_or(0)
    }

    /// The most tokens that the requests of any `window` take.
    pub fn fullest_tokens(&self, window: Duration) -> u64 {
        let log = lock(&self.shared.log);
        let (mut first, mut held, mut most) = (0, 0, 0);
        for (at, tokens) in log.arrivals.iter().zip(&log.tokens) {
            held += tokens;
            while log.arrivals[first] + window <= *at {
                held -= log.tokens[first];
                first += 1;
            }
            most = most.max(held);
        }
        most
    }

    /// Tokens that all requests so far take.
    pub fn tokens(&self) -> u64 {
        lock(&self.shared.log).tokens.iter().sum()
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// Requests that are being answered at this moment.
    pub fn in_flight(&self) -> usize {
        lock(&self.shared.log).in_flight
    }

    /// The most requests that were being answered at once.
    pub fn peak_in_flight(&self) -> usize {
        lock(&self.shared.log).peak_in_flight
    }

    /// Requests that came while the same prompt was under way already.
    pub fn overlaps(&self) -> u64 {
        lock(&self.shared.log).overlaps
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
struct InFlight<'a>(&'a Shared, u64);

impl<'a> InFlight<'a> {
    fn enter(shared: &'a Shared, key: u64) -> Self {
        let mut log = lock(&shared.log);
        log.in_flight += 1;
        log.peak_in_flight = log.peak_in_flight.max(log.in_flight);
        let same = log.under_way.entry(key).or_default();
        *same += 1;
        let is_overlap = *same > 1;
        log.overlaps += u64::from(is_overlap);
        Self(shared, key)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut log = lock(&self.0.log);
        log.in_flight -= 1;
        if let Some(same) = log.under_way.get_mut(&self.1) {
            *same -= 1;
        }
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
        let config = lock(&shared.config).clone();
        let (key, nth) = shared.note(&request, &config);
        let _in_flight = InFlight::enter(&shared, key);
        tokio::select! {
            () = tokio::time::sleep(config.latency) => {}
            // Nobody waits for the answer any more.
            () = hung_up(&stream) => return,
        }
        match answer(&mut stream, &config, &request, config.fault(key, nth)).await {
            Written::Answer => {
                let ledger = &mut lock(&shared.log).ledger;
                *ledger.answered.entry(key).or_default() += 1;
                ledger.answered_at.entry(key).or_insert_with(|| shared.started.elapsed());
            }
            Written::Error => {}
            Written::Broken => return,
        }
    }
}

/// Waits until the client closes the connection.
async fn hung_up(stream: &TcpStream) {
    let mut byte = [0];
    if let Ok(1) = stream.peek(&mut byte).await {
        // The next request, before the answer to this one: it waits.
        std::future::pending::<()>().await;
    }
}

impl Shared {
    /// Notes a request; its key, and how often that was asked by now.
    fn note(&self, request: &Request, config: &MockConfig) -> (u64, u64) {
        let tokens = answer_tokens(config, request);
        let mut log = lock(&self.log);
        log.arrivals.push(self.started.elapsed());
        log.tokens.push(tokens);
        let prompt = request.prompt();
        let key = hash(&[prompt.as_bytes(), request.body["seed"].to_string().as_bytes()]);
        *log.prompts.entry(prompt).or_default() += 1;
        let asked = log.ledger.asked.entry(key).or_default();
        *asked += 1;
        let nth = *asked;
        log.last_body = request.body.clone();
        (key, nth)
    }
}

/// What tells a prompt from all others: the same for every time that it is asked.
pub fn key(prompt: &str, seed: u64) -> u64 {
    hash(&[prompt.as_bytes(), seed.to_string().as_bytes()])
}

/// The key of a stored document's prompt, as clients see documents.
///
/// # Panics
/// When it is no document.
pub fn key_of(document: &Value) -> u64 {
    let seed = document["sampling_seed"].as_str().and_then(|seed| seed.parse().ok());
    key(document["prompt"].as_str().expect("a prompt"), seed_as_sent(seed.expect("a seed")))
}

/// As much of a sampling seed as is sent to an endpoint: what every JSON reader keeps exactly.
pub fn seed_as_sent(seed: u64) -> u64 {
    seed & ((1 << 53) - 1)
}

/// Prose of no meaning that a gate has nothing against; the same for the same number.
pub fn prose(number: u64, words: usize) -> String {
    Answer::write(&number.to_string(), "", words, None).text
}

#[cfg(test)]
mod tests;
