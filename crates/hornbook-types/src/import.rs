//! Imports: text that was written elsewhere, as a source of corpora.

use serde::{Deserialize, Serialize};

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// A worker fetches and reads it, or will.
    Importing,
    /// Every document is there.
    Ready,
    /// It could not be had, or something in it is wrong; nothing of it is kept.
    Failed,
}

/// Where the documents of an import come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ImportOrigin {
    /// They were sent with the request.
    Upload {
        /// Media type of what was sent.
        media_type: String,
    },
    /// A file or directory below the operator's import root.
    Path {
        /// The path below that root.
        path: String,
    },
    /// A dataset of the Hugging Face Hub.
    Hub {
        /// `owner/name`.
        hub: String,
        /// The configuration (the Hub also calls it subset).
        config: String,
        /// The split.
        split: String,
        /// Branch, tag or commit that was asked for.
        revision: String,
        /// The commit that was read; absent until the Hub was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
}

/// The kinds of [`ImportOrigin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImportKind {
    /// Sent with the request.
    Upload,
    /// Below the operator's import root.
    Path,
    /// From the Hub.
    Hub,
}

impl ImportState {
    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Importing => "importing",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Importing, Self::Ready, Self::Failed].into_iter().find(|it| it.as_str() == name)
    }
}

impl ImportKind {
    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Path => "path",
            Self::Hub => "hub",
        }
    }
}

impl ImportOrigin {
    /// Which kind it is.
    pub fn kind(&self) -> ImportKind {
        match self {
            Self::Upload { .. } => ImportKind::Upload,
            Self::Path { .. } => ImportKind::Path,
            Self::Hub { .. } => ImportKind::Hub,
        }
    }
}
