//! The exchanges of the Batch API: files, batches and their answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use hornbook_types::Clock;
use hornbook_types::limits::ANSWER_BYTES;
use serde_json::{Value, json};

use super::limits::{
    CLOCK_SLACK, EXCHANGE, ID_BYTES, LIST_PAGES, LIST_ROWS, QUESTION, REPLY_BYTES,
};
use crate::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use crate::http::{Client, Method, RequestBuilder, Response, Url, next_piece, read_capped};
use crate::openai::{Asked, endpoint_url, retry_after, transport};
use crate::preset::Preset;
use crate::retry::unusable;
use crate::{CompletionError, Secret};

/// Longest line of a result file: the longest answer, and what stands around it.
const LINE_BYTES: usize = ANSWER_BYTES + 64 * 1024;
/// Where in an overlong line it must stand whose it is.
const HEAD_BYTES: usize = 64 * 1024;
/// Path that every request of a batch goes to, in the provider's own words.
pub(super) const CHAT_PATH: &str = "/v1/chat/completions";
/// Where our name for a batch stands beside it.
const KEY_FIELD: &str = "hornbook_key";

/// One account at one provider.
pub(super) struct Api {
    pub(super) client: Client,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) base_url: String,
    pub(super) headers: HeaderMap,
    pub(super) model: String,
    pub(super) secret: Option<Secret>,
    pub(super) row: Preset,
}

/// How a batch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its answers are still to come.
    Open,
    /// It is over: all answered, or given up half way (`expired`, `cancelled`).
    Ended(Ended),
    /// None of it was run.
    Failed {
        /// What the provider says of it.
        faults: Vec<Fault>,
        /// The file of requests, which nobody needs any more.
        file: Option<String>,
    },
}

/// A batch that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The provider's word for how.
    pub(super) status: String,
    /// Files with answers and with errors.
    pub(super) files: Vec<String>,
    /// A file has an id that cannot be asked for.
    pub(super) has_bad_file: bool,
}

/// Why nothing of a batch was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) word: String,
    pub(super) message: String,
    /// The line at fault, from 1.
    pub(super) line: Option<u64>,
}

/// Whether a batch is in the provider's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Under this id.
    Batch(String),
    /// The list was read back to before it can have been made.
    Absent,
    /// There is more of the list than was read.
    Unknown,
}

/// A piece of a result file.
pub(super) enum Line<'a> {
    /// A line.
    Whole(&'a [u8]),
    /// The beginning of one that is longer than any answer may be.
    Overlong(&'a [u8]),
    /// What stands after the last line's end.
    Cut(&'a [u8]),
}

impl Api {
    /// What the reader of an answer must know of a request.
    pub(super) fn asked(&self, prompt_bytes: usize) -> Asked<'_> {
        Asked { model: &self.model, prompt_bytes, secret: self.secret.as_ref(), row: &self.row }
    }

    /// Uploads a file of requests; gives its id.
    pub(super) async fn upload(
        &self,
        key: &str,
        lines: &[Bytes],
    ) -> Result<String, CompletionError> {
        let boundary = format!("hornbook-{key}");
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; \
             filename=\"{key}.jsonl\"\r\ncontent-type: application/jsonl\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let bytes: usize = lines.iter().map(Bytes::len).sum::<usize>() + head.len() + tail.len();
        let pieces =
            [Bytes::from(head)].into_iter().chain(lines.iter().cloned()).chain([Bytes::from(tail)]);
        let pieces: Vec<_> = pieces.map(Ok::<Bytes, std::convert::Infallible>).collect();
        let request = self
            .request(Method::POST, "/files")?
            .timeout(EXCHANGE)
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(CONTENT_LENGTH, bytes)
            .body(reqwest::Body::wrap_stream(stream::iter(pieces)));
        self.id_of(&self.reply(request).await?)
    }

    /// Starts a batch over an uploaded file; gives its id.
    pub(super) async fn create(&self, key: &str, file: &str) -> Result<String, CompletionError> {
        let body = json!({
            "input_file_id": file, "endpoint": CHAT_PATH, "completion_window": "24h",
            "metadata": {KEY_FIELD: key},
        });
        let request = self.request(Method::POST, "/batches")?.timeout(QUESTION).json(&body);
        self.id_of(&self.reply(request).await?)
    }

    /// Deletes an uploaded file.
    pub(super) async fn delete(&self, file: &str) -> Result<(), CompletionError> {
        let request = self.request(Method::DELETE, &format!("/files/{file}"))?;
        self.answer(request.timeout(QUESTION)).await.map(drop)
    }

    /// The batch that was made under our name `key` in the last `age`, if there is one.
    pub(super) async fn find(&self, key: &str, age: Duration) -> Result<Found, CompletionError> {
        let mut after: Option<String> = None;
        let oldest = self.clock.now() - age - CLOCK_SLACK;
        // The list is newest first: what is older than ours ends the search.
        let is_older = |row: &Value| {
            let made_at = row.get("created_at").and_then(Value::as_i64);
            made_at.is_some_and(|at| at < oldest.unix_timestamp())
        };
        for _ in 0..LIST_PAGES {
            let mut url = self.url("/batches")?;
            url.query_pairs_mut().append_pair("limit", &LIST_ROWS.to_string());
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let request = self.request_to(Method::GET, &url)?.timeout(QUESTION);
            let page = self.reply(request).await?;
            let rows = page.get("data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let is_ours = |row: &&Value| {
                row.pointer("/metadata").and_then(|of| of.get(KEY_FIELD)) == Some(&json!(key))
            };
            if let Some(row) = rows.iter().find(is_ours) {
                return self.id_of(row).map(Found::Batch);
            }
            let more = page.get("has_more").and_then(Value::as_bool).unwrap_or(false);
            match rows.last() {
                Some(last) if more && !is_older(last) => after = Some(self.id_of(last)?),
                _ => return Ok(Found::Absent),
            }
        }
        Ok(Found::Unknown)
    }

    /// How a batch stands.
    pub(super) async fn look(&self, batch: &str) -> Result<Standing, CompletionError> {
        let request = self.request(Method::GET, &format!("/batches/{batch}"))?.timeout(QUESTION);
        let reply = self.reply(request).await?;
        let status = reply.get("status").and_then(Value::as_str).unwrap_or_default();
        Ok(match status {
            "completed" | "expired" | "cancelled" => {
                let named = ["output_file_id", "error_file_id"].iter();
                let named = named.filter_map(|field| reply.get(field).filter(|id| !id.is_null()));
                let named: Vec<Option<&str>> =
                    named.map(|id| id.as_str().filter(|id| is_id(id))).collect();
                Standing::Ended(Ended {
                    status: status.to_owned(),
                    has_bad_file: named.contains(&None),
                    files: named.into_iter().flatten().map(str::to_owned).collect(),
                })
            }
            "failed" => {
                let file = reply.get("input_file_id").and_then(Value::as_str);
                let file = file.filter(|id| is_id(id)).map(str::to_owned);
                Standing::Failed { faults: faults(&reply), file }
            }
            _ => Standing::Open,
        })
    }

    /// Reads a result file and hands over each of its lines.
    pub(super) async fn read_lines(
        &self,
        file: &str,
        mut take: impl FnMut(Line<'_>),
    ) -> Result<(), CompletionError> {
        let path = format!("/files/{file}/content");
        let mut response = self.answer(self.request(Method::GET, &path)?.timeout(EXCHANGE)).await?;
        let mut unread = BytesMut::new();
        let mut scanned_bytes = 0;
        // An overlong line is nobody's answer; what follows it still is.
        let mut skips = false;
        while let Some(piece) = next_piece(&mut response).await.map_err(transport)? {
            unread.extend_from_slice(&piece);
            while let Some(end) = unread[scanned_bytes..].iter().position(|byte| *byte == b'\n') {
                let line = unread.split_to(scanned_bytes + end + 1);
                scanned_bytes = 0;
                if !std::mem::take(&mut skips) {
                    take(Line::Whole(&line));
                }
            }
            if unread.len() > LINE_BYTES {
                if !skips {
                    take(Line::Overlong(&unread[..HEAD_BYTES]));
                }
                unread = BytesMut::new();
                skips = true;
            }
            scanned_bytes = unread.len();
        }
        if !skips && !unread.is_empty() {
            take(Line::Cut(&unread));
        }
        Ok(())
    }

    fn url(&self, path: &str) -> Result<Url, CompletionError> {
        let bad = |detail: String| self.asked(0).error(unusable::NO_CHOICES, &detail);
        endpoint_url(&self.base_url, path).map_err(|error| bad(error.to_string()))
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, CompletionError> {
        self.request_to(method, &self.url(path)?)
    }

    fn request_to(&self, method: Method, url: &Url) -> Result<RequestBuilder, CompletionError> {
        let request = self.client.request(method, url).map_err(transport)?;
        Ok(request.headers(self.headers.clone()))
    }

    /// The head of a success; a failure is read as any failure is.
    async fn answer(&self, request: RequestBuilder) -> Result<Response, CompletionError> {
        let response = self.client.send(request).await.map_err(transport)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let wait = retry_after(response.headers(), self.clock.as_ref());
        let body = read_capped(response, REPLY_BYTES).await.ok();
        let body = body.as_deref().unwrap_or_default();
        let error = self.asked(0).read_failure(status.as_u16(), body);
        Err(CompletionError { retry_after: wait, ..error })
    }

    async fn reply(&self, request: RequestBuilder) -> Result<Value, CompletionError> {
        let response = self.answer(request).await?;
        let body = read_capped(response, REPLY_BYTES).await.map_err(transport)?;
        self.asked(0).read_json(&body)
    }

    /// The id that a reply gives; it goes into paths, so it must look like one.
    fn id_of(&self, reply: &Value) -> Result<String, CompletionError> {
        let id = reply.get("id").and_then(Value::as_str).filter(|id| is_id(id));
        let unusable = || self.asked(0).error(unusable::NO_CHOICES, "the reply has no usable id");
        id.map(str::to_owned).ok_or_else(unusable)
    }
}

fn is_id(id: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=ID_BYTES).contains(&id.len()) && id.chars().all(known)
}

fn faults(reply: &Value) -> Vec<Fault> {
    let rows = reply.pointer("/errors/data").and_then(Value::as_array);
    let rows = rows.map_or(&[][..], Vec::as_slice);
    let text = |row: &Value, field: &str| {
        row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    rows.iter()
        .map(|row| Fault {
            word: text(row, "code"),
            message: text(row, "message"),
            line: row.get("line").and_then(Value::as_u64),
        })
        .collect()
}
