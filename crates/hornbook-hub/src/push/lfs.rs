//! Large files: asked about by hash, sent where the Hub says, whole or in parts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hornbook_inference::http::header::{CONTENT_LENGTH, ETAG, HeaderName, HeaderValue};
use hornbook_inference::http::{Method, Response, Url, stream_body};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::limits::{
    FILES_AT_ONCE, PARTS, SLOWEST_BYTES_PER_SECOND, UPLOAD_HEADERS, UPLOADS_AT_ONCE,
};
use super::source::{PushFile, Source};
use super::{PushError, PushProgress};

const LFS_JSON: &str = "application/vnd.git-lfs+json";

#[derive(Deserialize)]
struct Batch {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Actions {
    #[serde(default)]
    upload: Option<Action>,
    #[serde(default)]
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: Map<String, Value>,
}

/// What was sent, shared by all uploads.
pub(super) struct Meter<'a> {
    pub(super) done_bytes: AtomicU64,
    pub(super) sent_files: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) total_bytes: u64,
    pub(super) progress: &'a (dyn Fn(PushProgress) + Send + Sync),
}

impl Meter<'_> {
    pub(super) fn add(&self, bytes: u64) {
        let done_bytes = self.done_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(PushProgress { done_bytes, total_bytes: self.total_bytes });
    }
}

impl Api<'_> {
    /// Uploads the content that the Hub does not have yet.
    pub(super) async fn upload(
        &self,
        source: &dyn Source,
        files: &[&PushFile],
        meter: &Meter<'_>,
    ) -> Result<(), PushError> {
        // Two paths with one content are one object.
        let by_hash: BTreeMap<&str, &PushFile> =
            files.iter().map(|file| (file.sha256.as_str(), *file)).collect();
        let objects: Vec<&PushFile> = by_hash.values().copied().collect();
        for chunk in objects.chunks(FILES_AT_ONCE) {
            let answered = self.batch(chunk).await?;
            let uploads = answered
                .into_iter()
                .filter_map(|object| by_hash.get(object.oid.as_str()).map(|file| (*file, object)));
            stream::iter(uploads)
                .map(|(file, object)| self.upload_one(source, file, object, meter))
                .buffer_unordered(UPLOADS_AT_ONCE)
                .try_collect::<()>()
                .await?;
        }
        Ok(())
    }

    async fn batch(&self, files: &[&PushFile]) -> Result<Vec<Object>, PushError> {
        let doing = "asking where to upload";
        let (owner, name) = self.spec.owner_and_name()?;
        let git = format!("{name}.git");
        let url = self.url(&["datasets", owner, &git, "info", "lfs", "objects", "batch"]);
        let objects: Vec<Value> =
            files.iter().map(|file| json!({ "oid": file.sha256, "size": file.bytes })).collect();
        let body = json!({
            "operation": "upload", "transfers": ["basic", "multipart"], "objects": objects,
            "hash_algo": "sha256", "ref": { "name": self.spec.revision },
        });
        let batch: Batch = self.ask(doing, Method::POST, &url, Some(&body), LFS_JSON).await?;
        for file in files {
            let answered = batch.objects.iter().find(|object| object.oid == file.sha256);
            let Some(object) = answered else {
                return Err(PushError::unexpected(doing, format!("nothing said of {}", file.path)));
            };
            if let Some(error) = &object.error {
                let said = error.get("message").and_then(Value::as_str).unwrap_or_default();
                let detail = self.clean(&format!("{}: {said}", file.path));
                return Err(PushError::unexpected(doing, detail));
            }
        }
        Ok(batch.objects)
    }

    async fn upload_one(
        &self,
        source: &dyn Source,
        file: &PushFile,
        object: Object,
        meter: &Meter<'_>,
    ) -> Result<(), PushError> {
        let Some(Actions { upload: Some(upload), verify }) = object.actions else {
            meter.add(file.bytes);
            return Ok(());
        };
        let url = self.target(file, &upload.href)?;
        match upload.header.get("chunk_size").map(number) {
            None => self.whole(source, file, &url, &upload.header, meter).await?,
            Some(Some(part_bytes)) if part_bytes > 0 => {
                self.in_parts(source, file, &url, &upload.header, part_bytes, meter).await?;
            }
            Some(_) => return Err(PushError::unexpected(&doing(file), "no size of parts")),
        }
        if let Some(verify) = verify {
            let url = self.target(file, &verify.href)?;
            let body = json!({ "oid": file.sha256, "size": file.bytes });
            let verifying = format!("verifying {}", file.path);
            let response = self
                .retrying(async || {
                    let request = self.request(&verifying, Method::POST, &url)?;
                    let request = with_headers(request, &verify.header);
                    self.once(&verifying, request.json(&body), 0).await
                })
                .await?;
            self.good(&verifying, response).await?;
        }
        meter.sent_files.fetch_add(1, Ordering::Relaxed);
        meter.sent_bytes.fetch_add(file.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Where an upload goes; never from https to http.
    fn target(&self, file: &PushFile, href: &str) -> Result<Url, PushError> {
        match self.endpoint.join(href) {
            Ok(url) if self.endpoint.scheme() == "https" && url.scheme() != "https" => {
                Err(PushError::unexpected(&doing(file), "an upload away from https"))
            }
            Ok(url) => Ok(url),
            Err(_) => Err(PushError::unexpected(&doing(file), "an upload to nowhere")),
        }
    }

    async fn whole(
        &self,
        source: &dyn Source,
        file: &PushFile,
        url: &Url,
        headers: &Map<String, Value>,
        meter: &Meter<'_>,
    ) -> Result<(), PushError> {
        self.put(source, file, 0..file.bytes, url, headers).await?;
        meter.add(file.bytes);
        Ok(())
    }

    async fn in_parts(
        &self,
        source: &dyn Source,
        file: &PushFile,
        completion: &Url,
        header: &Map<String, Value>,
        part_bytes: u64,
        meter: &Meter<'_>,
    ) -> Result<(), PushError> {
        let mut places: Vec<(usize, &str)> = header
            .iter()
            .filter_map(|(name, value)| Some((name.parse().ok()?, value.as_str()?)))
            .collect();
        places.sort_unstable();
        let expected = file.bytes.div_ceil(part_bytes);
        let in_order = places.iter().enumerate().all(|(index, (number, _))| *number == index + 1);
        if places.len() as u64 != expected || places.len() > PARTS || !in_order {
            return Err(PushError::unexpected(&doing(file), "places for other parts than it has"));
        }
        let mut parts = Vec::new();
        for (number, place) in places {
            let start = (number as u64 - 1) * part_bytes;
            let end = file.bytes.min(start + part_bytes);
            let url = self.target(file, place)?;
            let response = self.put(source, file, start..end, &url, &Map::new()).await?;
            let Some(etag) = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()) else {
                return Err(PushError::unexpected(&doing(file), "a part without an ETag"));
            };
            parts.push(json!({ "partNumber": number, "etag": etag }));
            meter.add(end - start);
        }
        let doing = format!("completing {}", file.path);
        let body = json!({ "oid": file.sha256, "parts": parts }).to_string();
        let response = self
            .retrying(async || {
                let request = self.request(&doing, Method::POST, completion)?;
                let request = request.header("content-type", LFS_JSON).header("accept", LFS_JSON);
                self.once(&doing, request.body(body.clone()), 0).await
            })
            .await?;
        self.good(&doing, response).await?;
        Ok(())
    }

    /// Sends a range of a file; read anew for every try.
    async fn put(
        &self,
        source: &dyn Source,
        file: &PushFile,
        range: Range<u64>,
        url: &Url,
        headers: &Map<String, Value>,
    ) -> Result<Response, PushError> {
        let bytes = range.end - range.start;
        let doing = doing(file);
        let response = self
            .retrying(async || {
                let body = source.open(file, range.clone()).await?;
                // No token: the address itself is the permission, and may be another host's.
                let http = |source| PushError::Http { doing: doing.clone(), source };
                let request = self.client.request(Method::PUT, url).map_err(http)?;
                let request = with_headers(request, headers)
                    .header(CONTENT_LENGTH, bytes)
                    .body(stream_body(body));
                self.once(&doing, request, bytes / SLOWEST_BYTES_PER_SECOND).await
            })
            .await?;
        self.good(&doing, response).await
    }
}

fn doing(file: &PushFile) -> String {
    format!("uploading {}", file.path)
}

/// Sizes come as numbers or as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The headers that the server wants with an upload, but for those that would change what is sent.
fn with_headers(
    mut request: hornbook_inference::http::RequestBuilder,
    headers: &Map<String, Value>,
) -> hornbook_inference::http::RequestBuilder {
    const OURS: [&str; 6] =
        ["content-length", "transfer-encoding", "connection", "host", "upgrade", "te"];
    for (name, value) in headers.iter().take(UPLOAD_HEADERS) {
        let name = HeaderName::try_from(name.as_str());
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        if let (Ok(name), Some(value)) = (name, value)
            && !OURS.contains(&name.as_str())
        {
            request = request.header(name, value);
        }
    }
    request
}
