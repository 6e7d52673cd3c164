//! Rows as conversations, for training on chats.

use std::borrow::Cow;

use hornbook_types::CorpusRow;
use serde::{Deserialize, Serialize};

/// The format of templates whose documents are conversations themselves.
const CHAT: &str = "chat";

/// One line of the file; the columns beside `messages` are those of the row.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    id: &'a str,
    audience: &'a str,
    format: &'a str,
    seed_data: &'a str,
}

/// What one side says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    role: Cow<'a, str>,
    content: Cow<'a, str>,
}

/// The conversation that a row is.
///
/// A row of the format `chat` whose text is a JSON list of roles and contents is that conversation; any other is its
/// prompt by the user, if there is one, and its text by the assistant.
pub(super) fn conversation(row: &CorpusRow) -> Conversation<'_> {
    let spoken = (row.format == CHAT).then(|| spoken(&row.text)).flatten();
    let messages = spoken.unwrap_or_else(|| {
        let user = (!row.prompt.is_empty()).then_some(("user", row.prompt.as_str()));
        let says = |(role, content): (&'static str, _)| Message {
            role: Cow::Borrowed(role),
            content: Cow::Borrowed(content),
        };
        user.into_iter().chain([("assistant", row.text.as_str())]).map(says).collect()
    });
    Conversation {
        messages,
        id: &row.id,
        audience: &row.audience,
        format: &row.format,
        seed_data: &row.seed_data,
    }
}

fn spoken(text: &str) -> Option<Vec<Message<'_>>> {
    let messages: Vec<Message<'_>> = serde_json::from_str(text).ok()?;
    let is_known = |message: &Message<'_>| {
        matches!(message.role.as_ref(), "system" | "user" | "assistant" | "tool")
    };
    (!messages.is_empty() && messages.iter().all(is_known)).then_some(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(prompt: &str, text: &str, format: &str) -> serde_json::Value {
        let row = json!({
            "prompt": prompt, "text": text, "format": format, "token_length": 3, "audience": "college",
            "seed_data": "{\"topic\": 1}", "id": "x", "seq": 0, "template": "", "endpoint": "", "model": "",
            "sampling_seed": "", "finish_reason": "", "scores": "{}",
        });
        let row: CorpusRow = serde_json::from_value(row).unwrap();
        serde_json::to_value(conversation(&row)).unwrap()
    }

    #[test]
    fn a_document_answers_its_prompt() {
        let expected = json!({
            "messages": [
                {"role": "user", "content": "Why?"},
                {"role": "assistant", "content": "[]"},
            ],
            "id": "x", "audience": "college", "format": "story", "seed_data": "{\"topic\": 1}",
        });
        assert_eq!(line("Why?", "[]", "story"), expected);
        let alone = json!([{"role": "assistant", "content": "Because."}]);
        assert_eq!(line("", "Because.", "story")["messages"], alone);
    }

    #[test]
    fn a_chat_is_its_own_conversation() {
        let chat =
            r#"[{"role": "system", "content": "Be \"kind\"."}, {"role": "user", "content": "Hi"}]"#;
        let spoken: serde_json::Value = serde_json::from_str(chat).unwrap();
        assert_eq!(line("p", chat, "chat")["messages"], spoken);
        for text in
            ["[]", "{}", "Hi", r#"[{"role": "king", "content": ""}]"#, r#"[{"role": "user"}]"#]
        {
            let answered = json!([
                {"role": "user", "content": "p"},
                {"role": "assistant", "content": text},
            ]);
            assert_eq!(line("p", text, "chat")["messages"], answered, "{text}");
        }
        assert_eq!(line("p", chat, "story")["messages"][1]["content"], chat);
    }
}
