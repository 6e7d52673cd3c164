//! How a noun says that it is not well-formed: every fault with its place.

use serde::Serialize;

/// One fault in a submitted value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where, as an RFC 6901 JSON pointer into what was submitted (`/recipe/0/audience`).
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
    /// True when the value is part of the contract but not built yet (`not_supported`).
    #[serde(skip)]
    pub not_supported: bool,
}

/// Everything that is wrong with a submitted value; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Invalid(pub Vec<FieldError>);

impl Invalid {
    /// One fault at `pointer`.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(vec![FieldError::new(pointer, detail)])
    }

    /// `Ok` when nothing was found, else everything found.
    pub fn from_faults(faults: Vec<FieldError>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }

    fn summary(&self) -> String {
        let parts: Vec<String> =
            self.0.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
        parts.join("; ")
    }
}

impl FieldError {
    /// A value that is wrong.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), not_supported: false }
    }

    /// A value that the contract has and this build does not do yet.
    pub fn not_supported(pointer: impl Into<String>, what: &str) -> Self {
        Self {
            pointer: pointer.into(),
            detail: format!("{what} is not supported yet"),
            not_supported: true,
        }
    }
}
