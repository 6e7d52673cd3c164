//! As much of HTTP/1.1 as a client of this protocol sends.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest request that is read.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// One request.
pub(super) struct Request {
    line: String,
    bearer: Option<String>,
    pub(super) body: Value,
}

impl Request {
    pub(super) fn is_chat(&self) -> bool {
        self.line.starts_with("POST ") && self.line.contains("/chat/completions ")
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// The text of the last message.
    pub(super) fn prompt(&self) -> String {
        let messages = self.body["messages"].as_array();
        let last = messages.and_then(|messages| messages.last());
        last.and_then(|message| message["content"].as_str()).unwrap_or_default().to_owned()
    }
}

/// The next request of a connection; `None` when there is no more.
///
/// `unread` holds what came after the request before.
pub(super) async fn read_request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some((request, length)) = parse(unread) {
            unread.drain(..length);
            return Some(request);
        }
        if unread.len() > REQUEST_BYTES || stream.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
}

/// A request that is there as a whole, and its length.
fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let head_length = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..head_length]);
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let mut body_length = 0;
    let mut bearer = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => body_length = value.parse().unwrap_or(0),
            "authorization" => bearer = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let length = head_length + 4 + body_length;
    let body = bytes.get(head_length + 4..length)?;
    let body = serde_json::from_slice(body).unwrap_or(Value::Null);
    Some((Request { line, bearer, body }, length))
}

/// A whole response; JSON unless the headers say otherwise.
pub(super) fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Mock\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head += "content-type: application/json\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// Head of a response whose body ends with the connection.
pub(super) fn endless_head() -> Vec<u8> {
    b"HTTP/1.1 200 Mock\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n".to_vec()
}

/// Writes everything; false when the client has gone.
pub(super) async fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok()
}

/// Waits until the client has given up.
pub(super) async fn until_closed(stream: &mut TcpStream) {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}
