//! The exchanges of the Batch API: files, batches and their answers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use hornbook_types::limits::ANSWER_BYTES;
use serde_json::{Value, json};

use super::limits::{EXCHANGE, ID_BYTES, LIST_PAGES, LIST_ROWS, REPLY_BYTES};
use crate::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use crate::http::{Client, Method, RequestBuilder, Response, Url, next_piece, read_capped};
use crate::openai::{Asked, endpoint_url, transport};
use crate::preset::Preset;
use crate::retry::unusable;
use crate::{CompletionError, Secret};

/// Longest line of a result file: the longest answer, and what stands around it.
const LINE_BYTES: usize = ANSWER_BYTES + 64 * 1024;
/// Path that every request of a batch goes to, in the provider's own words.
pub(super) const CHAT_PATH: &str = "/v1/chat/completions";
/// Where our name for a batch stands beside it.
const KEY_FIELD: &str = "hornbook_key";
/// Longest exchange that moves no file.
const QUESTION: Duration = Duration::from_secs(120);

/// One account at one provider.
pub(super) struct Api {
    pub(super) client: Client,
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
    Ended {
        /// The provider's word for how.
        status: String,
        /// Files with answers and with errors.
        files: Vec<String>,
    },
    /// None of it was run.
    Failed {
        /// What the provider says of it: code, message and the line at fault, from 1.
        faults: Vec<(String, String, Option<u64>)>,
    },
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
        lines: Vec<Bytes>,
    ) -> Result<String, CompletionError> {
        let boundary = format!("hornbook-{key}");
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; \
             filename=\"{key}.jsonl\"\r\ncontent-type: application/jsonl\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let bytes: usize = lines.iter().map(Bytes::len).sum::<usize>() + head.len() + tail.len();
        let pieces = [Bytes::from(head)].into_iter().chain(lines).chain([Bytes::from(tail)]);
        let pieces = pieces.map(Ok::<Bytes, std::convert::Infallible>);
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

    /// The batch that was made under our name `key`, if there is one.
    pub(super) async fn find(&self, key: &str) -> Result<Option<String>, CompletionError> {
        let mut after: Option<String> = None;
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
                return self.id_of(row).map(Some);
            }
            let more = page.get("has_more").and_then(Value::as_bool).unwrap_or(false);
            match rows.last() {
                Some(last) if more => after = Some(self.id_of(last)?),
                _ => break,
            }
        }
        Ok(None)
    }

    /// How a batch stands.
    pub(super) async fn look(&self, batch: &str) -> Result<Standing, CompletionError> {
        let request = self.request(Method::GET, &format!("/batches/{batch}"))?.timeout(QUESTION);
        let reply = self.reply(request).await?;
        let status = reply.get("status").and_then(Value::as_str).unwrap_or_default();
        Ok(match status {
            "completed" | "expired" | "cancelled" => {
                let files = ["output_file_id", "error_file_id"].iter();
                let files =
                    files.filter_map(|field| reply.get(field)?.as_str().filter(|id| is_id(id)));
                Standing::Ended {
                    status: status.to_owned(),
                    files: files.map(str::to_owned).collect(),
                }
            }
            "failed" => Standing::Failed { faults: faults(&reply) },
            _ => Standing::Open,
        })
    }

    /// Reads a result file and hands over each of its lines that is JSON.
    pub(super) async fn read_lines(
        &self,
        file: &str,
        mut take: impl FnMut(Value),
    ) -> Result<(), CompletionError> {
        let path = format!("/files/{file}/content");
        let mut response = self.answer(self.request(Method::GET, &path)?.timeout(EXCHANGE)).await?;
        let mut unread = BytesMut::new();
        let mut scanned_bytes = 0;
        // An overlong line is nobody's answer; what follows it still is.
        let mut skips = false;
        let mut hand_over = |line: &[u8]| {
            if let Ok(value) = serde_json::from_slice(line) {
                take(value);
            }
        };
        while let Some(piece) = next_piece(&mut response).await.map_err(transport)? {
            unread.extend_from_slice(&piece);
            while let Some(end) = unread[scanned_bytes..].iter().position(|byte| *byte == b'\n') {
                let line = unread.split_to(scanned_bytes + end + 1);
                scanned_bytes = 0;
                if !std::mem::take(&mut skips) {
                    hand_over(&line);
                }
            }
            if unread.len() > LINE_BYTES {
                unread.clear();
                skips = true;
            }
            scanned_bytes = unread.len();
        }
        if !skips {
            hand_over(&unread);
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
        let body = read_capped(response, REPLY_BYTES).await.unwrap_or_default();
        Err(self.asked(0).read_failure(status.as_u16(), &body))
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

fn faults(reply: &Value) -> Vec<(String, String, Option<u64>)> {
    let rows = reply.pointer("/errors/data").and_then(Value::as_array);
    let rows = rows.map_or(&[][..], Vec::as_slice);
    let text = |row: &Value, field: &str| {
        row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    rows.iter()
        .map(|row| {
            (text(row, "code"), text(row, "message"), row.get("line").and_then(Value::as_u64))
        })
        .collect()
}
