//! The model's own chat template.

use hornbook_inference::ChatMessage;
use minijinja::{Environment, ErrorKind, context};

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt};

use super::TextTokenizer;
use super::shield;

/// Steps that rendering a template may take; a template is as hostile as the file it came in.
const FUEL: u64 = 1_000_000;
/// Longest prompt that a template may render, in bytes.
const RENDERED_BYTES_MAX: usize = 4 * 1024 * 1024;
const NAME: &str = "chat";
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
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// Parses the template that the file carries.
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        let source = metadata.text("tokenizer.chat_template")?;
        let mut environment = Environment::new();
        // As the Hugging Face libraries set up Jinja for chat templates.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.add_function("raise_exception", |message: String| -> Result<(), _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| LoadError::malformed("tokenizer.chat_template", error.to_string()))?;
        Ok(Self { environment })
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
        let rendered = self
            .environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! {
                    messages => safe,
                    add_generation_prompt => true,
                    bos_token => tokenizer.begin_text(),
                    eos_token => tokenizer.end_text(),
                })
            })
            .map_err(|error| PromptError::Template(error.to_string()))?;
        if rendered.len() > RENDERED_BYTES_MAX {
            return Err(PromptError::Template(format!("it rendered {} bytes", rendered.len())));
        }
        tokenizer.encode_prompt(&rendered, shield).map_err(PromptError::Tokenize)
    }
}
