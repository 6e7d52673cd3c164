//! Just enough HTTP to talk to a service on this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::Outcome;

/// How long the service may take over one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches JSON.
pub(crate) fn get(address: &str, path: &str) -> Outcome<Value> {
    send(address, "GET", path, "")
}

/// Sends JSON and returns the answer's.
pub(crate) fn post(address: &str, path: &str, body: &Value) -> Outcome<Value> {
    send(address, "POST", path, &body.to_string())
}

/// Replaces JSON and returns the answer's.
pub(crate) fn put(address: &str, path: &str, body: &Value) -> Outcome<Value> {
    send(address, "PUT", path, &body.to_string())
}

fn send(address: &str, method: &str, path: &str, body: &str) -> Outcome<Value> {
    let failed = |error: std::io::Error| format!("{method} {path}: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    // Version 1.0 asks for an answer in one piece that ends with the connection.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(failed)?;
    parse(&answer).map_err(|why| format!("{method} {path}: {why}"))
}

fn parse(answer: &[u8]) -> Outcome<Value> {
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer was cut off")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return Err(format!("answered {status}: {}", body.trim()));
    }
    serde_json::from_str(body).map_err(|error| format!("answered no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let answer = parse(b"HTTP/1.0 201 Created\r\nA: b\r\n\r\n{\"id\": 7}").expect("sound");
        assert_eq!(answer["id"], 7);
        let refused = parse(b"HTTP/1.0 422 Unprocessable\r\n\r\n{\"title\":\"no\"}");
        assert!(refused.expect_err("a failure").contains("422"));
        assert!(parse(b"HTTP/1.0 200 OK\r\nA: b").is_err());
        assert!(parse(b"HTTP/1.0 200 OK\r\n\r\nhello").is_err());
    }
}
