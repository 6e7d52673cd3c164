//! The endpoint that `cargo xtask bench fan-out` measures against, in a process of its own.
//!
//! Good answers of about 2.5 KB after a fixed time, for as little CPU as can be: one thread, HTTP/1.1 by
//! hand with connections that stay, answers put together from ready sentences, no JSON read. Each answer
//! begins with its number, by which it is known again wherever it is kept. For whoever measures:
//! `POST /reset/LATENCY_MILLIS` begins anew (`/reset/LATENCY_MILLIS/ledger` keeps a ledger, too),
//! `GET /stats` tells what was seen since, `/stats/windows` and `/stats/ledger` more of it. It says
//! `listening on http://HOST:PORT` and ends when its standard input does.
#![expect(clippy::print_stdout, reason = "a program that is asked for its address")]

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hornbook_tests::mock_endpoint::prose;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Passages of one answer.
const PASSAGES: usize = 28;
/// Versions of each passage: an answer's are chosen by four bits of its number's hash each.
const VERSIONS: usize = 16;
/// Words of a passage; 28 of them are about 2.4 KB.
const PASSAGE_WORDS: usize = 14;
/// What the window of a rate limit lasts.
const WINDOW_MICROS: u64 = 60_000_000;
/// Room for one request of the usual size.
const REQUEST_BYTES: usize = 8 * 1024;

/// What was seen since the last reset.
#[derive(Default)]
struct Seen {
    latency: Duration,
    /// When each request was whole, in microseconds since the start of the program.
    arrivals: Vec<u64>,
    request_bytes: u64,
    answered: u64,
    answered_last: u64,
    in_flight: u64,
    peak_in_flight: u64,
    /// What must be known to tell lost answers and questions that come twice; not kept where CPU is measured.
    ledger: Option<Ledger>,
    /// Rises with every reset, so that an answer to an earlier request is not counted with the later ones.
    age: u64,
}

/// Who was asked what, and when it was answered.
#[derive(Default)]
struct Ledger {
    /// Times that each body came, by its hash: the same prompt and seed make the same body.
    bodies: HashMap<u64, u64>,
    /// Number and moment of each answer.
    answers: Vec<(u64, u64)>,
}

struct Mock {
    started: Instant,
    seen: Mutex<Seen>,
    passages: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("listening on http://{}", listener.local_addr().expect("the port"));
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let passages = (0..PASSAGES * VERSIONS).map(|number| prose(number as u64, PASSAGE_WORDS));
    let mock = Arc::new(Mock {
        started: Instant::now(),
        seen: Mutex::default(),
        passages: passages.collect(),
    });
    loop {
        let (stream, _) = listener.accept().await.expect("accepting");
        tokio::spawn(serve(stream, Arc::clone(&mock)));
    }
}

/// Answers one connection's requests until the client has had enough.
async fn serve(mut stream: TcpStream, mock: Arc<Mock>) {
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::with_capacity(REQUEST_BYTES);
    let mut answer = Vec::with_capacity(REQUEST_BYTES);
    loop {
        let (head, whole) = loop {
            match measure(&unread) {
                Some((head, whole)) if unread.len() >= whole => break (head, whole),
                _ => {}
            }
            if !stream.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
                return;
            }
        };
        if unread.starts_with(b"POST /v1/chat/completions ") {
            let (number, age, latency) = mock.arrived(&unread[head + 4..whole]);
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            mock.write_answer(number, &mut answer);
            // Counted before it is written: whoever has read it may ask at once.
            mock.answered(number, age);
        } else {
            let line = String::from_utf8_lossy(&unread[..head]);
            let body = mock.control(line.lines().next().unwrap_or_default()).to_string();
            write_response(body.as_bytes(), &mut answer);
            // Whoever measures asks by a protocol in which the answer ends with the connection.
            let _ = stream.write_all(&answer).await;
            return;
        }
        unread.drain(..whole);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Length of the head that is there, and of the whole request.
fn measure(unread: &[u8]) -> Option<(usize, usize)> {
    let head = unread.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut body = 0;
    for line in unread[..head].split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(&line[colon + 1..]).unwrap_or_default();
            body = digits.trim().parse().unwrap_or(0);
        }
    }
    Some((head, head + 4 + body))
}

fn write_response(body: &[u8], answer: &mut Vec<u8>) {
    answer.clear();
    answer.extend_from_slice(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ",
    );
    answer.extend_from_slice(body.len().to_string().as_bytes());
    answer.extend_from_slice(b"\r\n\r\n");
    answer.extend_from_slice(body);
}

impl Mock {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Notes a request; its number, the age it belongs to, and how long to let it wait.
    fn arrived(&self, body: &[u8]) -> (u64, u64, Duration) {
        let now = self.now_micros();
        let mut seen = self.lock();
        seen.arrivals.push(now);
        seen.request_bytes += body.len() as u64;
        if let Some(ledger) = &mut seen.ledger {
            let mut hasher = DefaultHasher::new();
            body.hash(&mut hasher);
            *ledger.bodies.entry(hasher.finish()).or_default() += 1;
        }
        seen.in_flight += 1;
        seen.peak_in_flight = seen.peak_in_flight.max(seen.in_flight);
        (seen.arrivals.len() as u64, seen.age, seen.latency)
    }

    fn answered(&self, number: u64, age: u64) {
        let now = self.now_micros();
        let mut seen = self.lock();
        if seen.age == age {
            seen.in_flight -= 1;
            seen.answered += 1;
            seen.answered_last = now;
            if let Some(ledger) = &mut seen.ledger {
                ledger.answers.push((number, now));
            }
        }
    }

    fn write_answer(&self, number: u64, answer: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(3 * 1024);
        body.extend_from_slice(
            b"{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"mock\",\
              \"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"",
        );
        let begin = body.len();
        body.extend_from_slice(format!("Passage {number}. ").as_bytes());
        let choices = [hornbook_types::mix(number, 0), hornbook_types::mix(number, 1)];
        for place in 0..PASSAGES {
            let bits = choices[place / VERSIONS] >> (4 * (place % VERSIONS));
            let version = usize::try_from(bits & 15).unwrap_or(0);
            if place > 0 {
                body.push(b' ');
            }
            body.extend_from_slice(self.passages[place * VERSIONS + version].as_bytes());
        }
        let tokens = (body.len() - begin) / 4;
        let end = format!(
            "\"}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":300,\
             \"completion_tokens\":{tokens},\"total_tokens\":{}}}}}",
            tokens + 300
        );
        body.extend_from_slice(end.as_bytes());
        write_response(&body, answer);
    }

    /// Answers whoever measures.
    fn control(&self, line: &str) -> Value {
        let now = self.now_micros();
        let mut seen = self.lock();
        let path = line.split(' ').nth(1).unwrap_or_default();
        if let Some(asked) = path.strip_prefix("/reset/") {
            let (millis, ledger) = match asked.strip_suffix("/ledger") {
                Some(millis) => (millis, Some(Ledger::default())),
                None => (asked, None),
            };
            let latency = Duration::from_millis(millis.parse().expect("a number of milliseconds"));
            let age = seen.age + 1;
            *seen = Seen { latency, age, ledger, ..Seen::default() };
        }
        // Reading all of something is dear, so it is done for those alone who ask for it.
        let windows = path == "/stats/windows";
        let ledger = seen.ledger.as_ref().filter(|_| path == "/stats/ledger");
        json!({
            "now_micros": now,
            "requests": seen.arrivals.len(),
            "request_bytes": seen.request_bytes,
            "answered": seen.answered,
            "first_micros": seen.arrivals.first(),
            "last_answer_micros": seen.answered_last,
            "in_flight": seen.in_flight,
            "peak_in_flight": seen.peak_in_flight,
            "fullest_window": windows.then(|| fullest(&seen.arrivals)),
            "newest_window": windows.then(|| newest(&seen.arrivals)),
            "asked_again": ledger.map(|ledger| ledger.bodies.values().filter(|times| **times > 1).count()),
            "answers": ledger.map(|ledger| &ledger.answers),
        })
    }
}

/// The most requests that any 60 s held.
fn fullest(arrivals: &[u64]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in arrivals.iter().enumerate() {
        while at - arrivals[first] >= WINDOW_MICROS {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// Requests of the 60 s before the last one.
fn newest(arrivals: &[u64]) -> usize {
    let Some(last) = arrivals.last() else { return 0 };
    arrivals.iter().rev().take_while(|at| last - **at < WINDOW_MICROS).count()
}
