//! The model's own chat template.

use hornbook_inference::ChatMessage;
use minijinja::{Value, context};

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt};

use super::TextTokenizer;
use super::metered::MeteredTemplate;
use super::shield;

/// Longest template, in bytes; the longest published ones have a quarter of it.
const TEMPLATE_BYTES_MAX: u64 = 64 * 1024;
/// Longest prompt that a template may render, in bytes.
const RENDERED_BYTES_MAX: usize = 4 * 1024 * 1024;
const ROLES: [&str; 3] = ["system", "user", "assistant"];

/// Why messages could not become a prompt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptError {
    #[error("there is no message to answer")]
    Empty,
    #[error("a message has the role {0:?}; system, user and assistant are known")]
    Role(String),
    #[error("the messages hold every character that could keep their text apart from marks")]
    Shield,
    #[error("the model's chat template fails: {0}")]
    Template(String),
    #[error("the text cannot be tokenized: {0}")]
    Tokenize(String),
}

/// Tokens of bare text. Whoever sends it writes the marks too, so they are marks here.
pub(crate) fn encode_text(text: &str, tokenizer: &TextTokenizer) -> Result<Vec<u32>, PromptError> {
    let shield = shield::choose(std::iter::once(text)).ok_or(PromptError::Shield)?;
    tokenizer.encode_prompt(text, shield).map_err(PromptError::Tokenize)
}

/// A parsed chat template.
pub(crate) struct ChatTemplate {
    template: MeteredTemplate,
}

impl ChatTemplate {
    /// Parses the template that the file carries.
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        let key = "tokenizer.chat_template";
        let source = metadata.text(key)?;
        LoadError::check_limit(
            "the chat template, in bytes,",
            source.len() as u64,
            TEMPLATE_BYTES_MAX,
        )?;
        let template = MeteredTemplate::new(source)
            .map_err(|detail| LoadError::Start { detail })?
            .map_err(|detail| LoadError::malformed(key, detail))?;
        Ok(Self { template })
    }

    /// Tokens of a conversation that the model is to continue.
    ///
    /// Marks come from the template alone: text that reads like a mark stays text.
    pub(crate) fn encode(
        &self,
        messages: &[ChatMessage],
        tokenizer: &TextTokenizer,
    ) -> Result<Vec<u32>, PromptError> {
        if messages.is_empty() {
            return Err(PromptError::Empty);
        }
        if let Some(message) = messages.iter().find(|m| !ROLES.contains(&m.role.as_str())) {
            return Err(PromptError::Role(message.role.clone()));
        }
        let shield = shield::choose(messages.iter().map(|message| message.content.as_str()))
            .ok_or(PromptError::Shield)?;
        let safe: Vec<_> = messages
            .iter()
            .map(|message| {
                let content = shield::shielded(&message.content, tokenizer.marks(), shield);
                context! { role => message.role, content => content }
            })
            .collect();
        let rendered = self.render(safe, tokenizer.begin_text(), tokenizer.end_text())?;
        if rendered.len() > RENDERED_BYTES_MAX {
            return Err(PromptError::Template(format!("it rendered {} bytes", rendered.len())));
        }
        tokenizer.encode_prompt(&rendered, shield).map_err(PromptError::Tokenize)
    }

    fn render(&self, messages: Vec<Value>, begin: &str, end: &str) -> Result<String, PromptError> {
        let variables = context! {
            messages,
            add_generation_prompt => true,
            bos_token => begin,
            eos_token => end,
        };
        self.template.render(variables).map_err(PromptError::Template)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::gguf;

    #[derive(Deserialize)]
    struct Reference {
        conversations: Vec<Vec<BTreeMap<String, String>>>,
        kept: BTreeMap<String, Kept>,
        hashes: BTreeMap<String, Vec<Option<String>>>,
    }

    #[derive(Deserialize)]
    struct Kept {
        source: String,
        rendered: Vec<Option<String>>,
    }

    /// `fixtures/chats.py` made the fixture with the Hugging Face library's own environment.
    fn reference() -> Reference {
        serde_json::from_str(include_str!("../../tests/fixtures/chats.json"))
            .expect("the fixture parses")
    }

    fn read(source: &str) -> Result<ChatTemplate, LoadError> {
        let key = "tokenizer.chat_template".to_owned();
        ChatTemplate::read(&[(key, gguf::Value::Text(source.to_owned()))].into())
    }

    fn rendered(source: &str, messages: &[BTreeMap<String, String>]) -> Result<String, String> {
        let messages = messages.iter().map(Value::from_serialize).collect();
        let template = read(source).map_err(|error| error.to_string())?;
        template.render(messages, "<|begin|>", "<|end|>").map_err(|error| error.to_string())
    }

    #[test]
    fn deep_templates_have_an_outcome() {
        // Every one of these overflowed the stack of a thread as threads usually are.
        let chain = |link: &str| {
            let links = link.repeat(TEMPLATE_BYTES_MAX as usize / link.len() - 40);
            format!("{{{{ messages{links} }}}}")
        };
        for link in ["|upper", ".b", "[0]", " if 1", " is string", "()"] {
            if let Ok(template) = read(&chain(link)) {
                let _ = template.render(Vec::new(), "", "");
            }
        }
        let signs = "-".repeat(TEMPLATE_BYTES_MAX as usize - 40);
        let branches = "{%elif 1%}".repeat(TEMPLATE_BYTES_MAX as usize / 10 - 10);
        for source in
            [format!("{{{{ {signs}1 }}}}"), format!("{{% if 1 %}}{branches}{{% endif %}}")]
        {
            if let Ok(template) = read(&source) {
                let _ = template.render(Vec::new(), "", "");
            }
        }
        let macros = "{% macro f(n) %}{{ f([n]) }}{% endmacro %}{{ f(1) }}";
        assert!(read(macros).expect("it parses").render(Vec::new(), "", "").is_err());
        let long = " ".repeat(TEMPLATE_BYTES_MAX as usize + 1);
        assert!(matches!(read(&long), Err(LoadError::TooLarge { .. })));
    }

    #[test]
    fn published_templates_render_as_jinja_does() {
        let reference = reference();
        assert_eq!(reference.kept.len(), 2);
        for (name, Kept { source, rendered: expected }) in reference.kept {
            for (messages, expected) in reference.conversations.iter().zip(expected) {
                assert_eq!(rendered(&source, messages).ok(), expected, "{name}");
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment")]
    fn other_templates_render_as_jinja_does() {
        let Some(folder) = std::env::var_os("HORNBOOK_TEST_VOCABULARIES") else {
            eprintln!("SKIPPED: HORNBOOK_TEST_VOCABULARIES names no folder");
            return;
        };
        let folder = std::path::Path::new(&folder).join("templates");
        let reference = reference();
        let (mut same, mut all) = (0, 0);
        for (name, hashes) in reference.hashes {
            let source = std::fs::read_to_string(folder.join(format!("{name}.jinja")));
            let source = source.expect("the template is read");
            for (messages, expected) in reference.conversations.iter().zip(hashes) {
                let (Ok(found), Some(expected)) = (rendered(&source, messages), expected) else {
                    continue;
                };
                let hash = hex::encode(&Sha256::digest(found.as_bytes())[..8]);
                assert_eq!(hash, expected, "{name} renders {found}");
                same += 1;
            }
            all += 3;
        }
        // Some want tools, and some use tags that only the Hugging Face libraries know.
        assert_eq!(
            (same, all),
            (169, 210),
            "templates render or are refused otherwise than before"
        );
    }
}
