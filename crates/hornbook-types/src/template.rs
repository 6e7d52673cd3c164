//! What to ask for: a prompt template of one format.

use serde::{Deserialize, Serialize};

use crate::{FieldError, Invalid, Slug, limits::TEMPLATE_BODY_BYTES};

/// A prompt template as a user writes it; `body` is a Tera template over `audience`, `seed` and `job`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    /// Kind of text, such as `textbook-chapter` or `story`.
    pub format: Slug,
    /// What the answer is.
    #[serde(default)]
    pub output: OutputKind,
    /// The Tera source of the prompt.
    pub body: String,
    /// What the template is good for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a template's answers are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Running text: a document.
    #[default]
    Text,
    /// One item a line: seeds for a further job.
    List,
    /// A number: a rating.
    Score,
    /// A chat, as role and content.
    Messages,
    /// A JSON value.
    Json,
}

impl OutputKind {
    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::List => "list",
            Self::Score => "score",
            Self::Messages => "messages",
            Self::Json => "json",
        }
    }
}

impl TemplateSpec {
    /// Checks lengths and characters; whether the body parses is hornbook-prompt's to say.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        if self.body.trim().is_empty() {
            faults.push(FieldError::new("/body", "must not be empty"));
        }
        if self.body.len() > TEMPLATE_BODY_BYTES {
            faults.push(FieldError::new(
                "/body",
                format!("is {} bytes; at most {TEMPLATE_BODY_BYTES} are allowed", self.body.len()),
            ));
        }
        Invalid::from_faults(faults)
    }
}
