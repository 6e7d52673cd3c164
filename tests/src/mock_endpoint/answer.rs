//! What a mock endpoint writes: the answer, or what the fault makes of it.

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::fault::{Fault, MockConfig};
use super::text::Answer;
use super::wire::{Request, endless_head, response, until_closed, write};

/// Size of a body that is too large for anybody.
const OVERSIZED_BYTES: usize = 17 * 1024 * 1024;
/// Piece in which it is written.
const PIECE_BYTES: usize = 64 * 1024;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A whole answer, good or only a little odd: whoever asked pays for it.
    Answer,
    /// A whole response that says that there is no answer.
    Error,
    /// The connection is to be closed.
    Broken,
}

/// Writes the answer to a request that suffers `fault`.
pub(super) async fn answer(
    stream: &mut TcpStream,
    config: &MockConfig,
    request: &Request,
    fault: Option<Fault>,
) -> Written {
    if let Some(key) = &config.key
        && request.bearer() != Some(key.as_str())
    {
        let shown = format!("incorrect API key provided: {}", request.bearer().unwrap_or("none"));
        return error(stream, response(401, &[], &error_body("invalid_api_key", &shown))).await;
    }
    let bytes = match fault {
        Some(Fault::Drop) => return Written::Broken,
        Some(Fault::Hang) => {
            until_closed(stream).await;
            return Written::Broken;
        }
        Some(Fault::Truncate) => {
            let good = good_body(config, request, fault);
            let whole = response(200, &[], &good);
            write(stream, &whole[..whole.len() - good.len() / 2]).await;
            return Written::Broken;
        }
        Some(Fault::Oversized) => {
            write_oversized(stream).await;
            return Written::Broken;
        }
        Some(Fault::Status(status)) => response(status, &[], &error_body("mock", "told to fail")),
        Some(Fault::Throttled { retry_after_seconds }) => {
            let seconds = retry_after_seconds.to_string();
            let body = error_body("rate_limit_exceeded", "slow down");
            response(429, &[("retry-after", &seconds)], &body)
        }
        Some(Fault::ThrottledBriefly { retry_after_millis }) => {
            let seconds = retry_after_millis.div_ceil(1_000).to_string();
            let millis = retry_after_millis.to_string();
            let headers = [("retry-after", seconds.as_str()), ("retry-after-ms", millis.as_str())];
            response(429, &headers, &error_body("rate_limit_exceeded", "slow down"))
        }
        Some(Fault::QuotaSpent) => {
            response(429, &[], &error_body("insufficient_quota", "no credit is left"))
        }
        Some(Fault::PromptTooLong) => {
            response(400, &[], &error_body("context_length_exceeded", "too long"))
        }
        Some(Fault::ErrorTellsKey(status)) => {
            let key = request.bearer().unwrap_or("none");
            let body = json!({"error": {"message": format!("you sent Bearer {key}"), "type": key,
                                        "param": key, "code": key, key: key}});
            response(status, &[("x-key", key)], &body.to_string())
        }
        Some(Fault::HtmlPage) => {
            response(200, &[("content-type", "text/html")], "<html><body>Welcome</body></html>")
        }
        Some(Fault::ErrorBody) => {
            response(200, &[], &error_body("mock_failure", "something went wrong"))
        }
        _ => {
            let told = match fault {
                Some(Fault::TellsKey) => request.bearer(),
                _ => None,
            };
            let headers: Vec<_> = told.map(|key| ("x-key", key)).into_iter().collect();
            let whole = response(200, &headers, &good_body(config, request, fault));
            return match write(stream, &whole).await {
                true => Written::Answer,
                false => Written::Broken,
            };
        }
    };
    error(stream, bytes).await
}

async fn error(stream: &mut TcpStream, bytes: Vec<u8>) -> Written {
    if write(stream, &bytes).await { Written::Error } else { Written::Broken }
}

/// A body that begins like an answer and does not end before the client has had enough.
async fn write_oversized(stream: &mut TcpStream) {
    let begin = r#"{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":""#;
    let mut written = write(stream, &endless_head()).await && write(stream, begin.as_bytes()).await;
    let piece = "word ".repeat(PIECE_BYTES / 5);
    let mut bytes = 0;
    while written && bytes < OVERSIZED_BYTES {
        written = write(stream, piece.as_bytes()).await;
        bytes += piece.len();
    }
}

fn prompt_tokens(request: &Request) -> u64 {
    request.prompt().len().div_ceil(4) as u64
}

/// Tokens of a request and its good answer, where all answers are said to have as many.
pub(super) fn answer_tokens(config: &MockConfig, request: &Request) -> u64 {
    prompt_tokens(request) + config.completion_tokens.unwrap_or(0)
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
    let prompt_tokens = prompt_tokens(request);
    let tokens = config.completion_tokens.unwrap_or(answer.tokens);
    let mut body = json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": 0,
        "model": request.body["model"], "system_fingerprint": null,
        "choices": [{"index": 0, "logprobs": null, "finish_reason": finish_reason,
                     "message": {"role": "assistant", "content": answer.text}}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": tokens,
                  "total_tokens": prompt_tokens + tokens},
    });
    match fault {
        Some(Fault::MissingUsage) => body["usage"] = Value::Null,
        Some(Fault::OtherModel) => body["model"] = "quite-another-model".into(),
        Some(Fault::ExtraFields) => {
            body["mood"] = json!({"moon": ["full", 1.5, null], "tides": {"high": true}});
            body["choices"][0]["weather"] = "fair".into();
            body["choices"][0]["message"]["annotations"] = json!([{"type": "whim"}]);
            body["usage"]["completion_tokens_details"] = json!({"whims": 3});
        }
        Some(Fault::TellsKey) => {
            let key = request.bearer().unwrap_or("none");
            for field in ["id", "model", "system_fingerprint", "service_tier", key] {
                body[field] = key.into();
            }
            body["choices"][0]["finish_reason"] = key.into();
            let message = &mut body["choices"][0]["message"];
            message["name"] = key.into();
            message["content"] = format!("{} {key}", answer.text).into();
            body["usage"][key] = key.into();
        }
        _ => {}
    }
    body.to_string()
}

/// An error as OpenAI spells it.
pub(super) fn error_body(code: &str, message: &str) -> String {
    json!({"error": {"message": message, "type": "mock_error", "param": null, "code": code}})
        .to_string()
}
