//! Log-probabilities in the two shapes that OpenAI has for them.

use hornbook_inference::{DrawnLogprob, TokenLogprob};
use serde_json::{Map, Value, json};

/// What OpenAI says of a token that cannot be; JSON has no infinity.
const IMPOSSIBLE: f32 = -9_999.0;

/// As `/v1/chat/completions` has them.
pub(super) fn chat(drawn: &[DrawnLogprob]) -> Value {
    let content: Vec<Value> = drawn
        .iter()
        .map(|drawn| {
            let mut token = chat_token(&drawn.token);
            token["top_logprobs"] = drawn.top.iter().map(chat_token).collect();
            token
        })
        .collect();
    json!({"content": content, "refusal": null})
}

fn chat_token(token: &TokenLogprob) -> Value {
    json!({
        "token": String::from_utf8_lossy(&token.bytes),
        "logprob": finite(token.logprob),
        "bytes": token.bytes,
    })
}

/// As `/v1/completions` has them; `chars` is where the first token begins in the text, and then
/// where the last one ends.
pub(super) fn text(drawn: &[DrawnLogprob], chars: &mut usize) -> Value {
    let mut offsets = Vec::with_capacity(drawn.len());
    for token in drawn {
        offsets.push(*chars);
        *chars += token.token.bytes.iter().filter(|byte| starts_char(**byte)).count();
    }
    let tops = drawn.iter().map(|drawn| {
        let top = drawn.top.iter();
        top.map(|token| (spelled(&token.bytes), finite(token.logprob).into()))
            .collect::<Map<_, Value>>()
    });
    json!({
        "tokens": drawn.iter().map(|drawn| spelled(&drawn.token.bytes)).collect::<Vec<_>>(),
        "token_logprobs": drawn.iter().map(|drawn| finite(drawn.token.logprob)).collect::<Vec<_>>(),
        "top_logprobs": tops.collect::<Vec<_>>(),
        "text_offset": offsets,
    })
}

/// A token's text; parts of a character as OpenAI spells them, `bytes:\xe2\x82`.
fn spelled(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            bytes.iter().fold("bytes:".to_owned(), |text, byte| text + &format!("\\x{byte:02x}"))
        }
    }
}

fn starts_char(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { IMPOSSIBLE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(bytes: &[u8], logprob: f32) -> TokenLogprob {
        TokenLogprob { bytes: bytes.to_vec(), logprob }
    }

    #[test]
    fn offsets_count_characters_and_halves_are_spelled() {
        let drawn = [
            DrawnLogprob { token: token("é!".as_bytes(), -0.5), top: vec![token(b"a", -0.25)] },
            DrawnLogprob { token: token(b"\xe2\x82", -1.0), top: Vec::new() },
            DrawnLogprob { token: token(b"\xac", f32::NEG_INFINITY), top: Vec::new() },
            DrawnLogprob { token: token(b"x", -1.0), top: Vec::new() },
        ];
        let mut chars = 10;
        let text = text(&drawn, &mut chars);
        assert_eq!(text["tokens"], json!(["é!", "bytes:\\xe2\\x82", "bytes:\\xac", "x"]));
        assert_eq!(text["text_offset"], json!([10, 12, 13, 13]));
        assert_eq!(text["token_logprobs"], json!([-0.5, -1.0, -9999.0, -1.0]));
        assert_eq!(text["top_logprobs"][0], json!({"a": -0.25}));
        assert_eq!(chars, 14);
        let chat = chat(&drawn[..1]);
        let expected = json!([{"token": "é!", "logprob": -0.5, "bytes": [195, 169, 33],
            "top_logprobs": [{"token": "a", "logprob": -0.25, "bytes": [97]}]}]);
        assert_eq!(chat["content"], expected);
    }
}
