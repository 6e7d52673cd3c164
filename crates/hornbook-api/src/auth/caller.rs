//! The caller of one request, as the authentication layer found it.

use hornbook_types::Scope;
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use crate::Problem;

/// Who asks; found in the extensions of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular: no key was shown and the service is not open.
    Anonymous,
    /// A key or session was shown that is not good (any more).
    Refused,
    /// The service is open: bound to loopback, and no key was ever created.
    Local,
    /// The holder of an API key, or of a session made with it.
    Key {
        /// The key's id.
        id: String,
        /// What it may do, at most.
        scope: Scope,
    },
}

impl Caller {
    /// True when this caller may do what `needed` allows.
    pub fn may(&self, needed: Scope) -> bool {
        match self {
            Self::Local => true,
            // Scopes are ordered: admin includes write, which includes read.
            Self::Key { scope, .. } => *scope >= needed,
            Self::Anonymous | Self::Refused => false,
        }
    }

    /// `Ok` when this caller may; else 401 (no good key) or 403 (a key without the scope).
    pub fn require(&self, needed: Scope) -> Result<(), Problem> {
        if self.may(needed) { Ok(()) } else { Err(self.refusal(needed)) }
    }

    /// Why this caller may not do what `needed` allows.
    pub(crate) fn refusal(&self, needed: Scope) -> Problem {
        match self {
            Self::Key { .. } => Problem::new(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                format!("this needs a key with the scope {}", needed.as_str()),
            )
            .header(
                WWW_AUTHENTICATE,
                format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", needed.as_str()),
            )
            .member("needed", needed.as_str()),
            Self::Refused => Problem::new(
                StatusCode::UNAUTHORIZED,
                "invalid_key",
                "the key is unknown, revoked or not well-formed",
            )
            .header(WWW_AUTHENTICATE, "Bearer realm=\"hornbook\", error=\"invalid_token\""),
            _ => Problem::new(
                StatusCode::UNAUTHORIZED,
                "key_required",
                "send Authorization: Bearer hb_<id>_<secret>",
            )
            .header(WWW_AUTHENTICATE, "Bearer realm=\"hornbook\""),
        }
    }

    /// The id of the caller's key; none while the service is open.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Key { id, .. } => Some(id),
            Self::Local | Self::Anonymous | Self::Refused => None,
        }
    }

    /// What the request counts against, when it may be served at all.
    ///
    /// It also says whose idempotency keys these are.
    pub(crate) fn owner(&self) -> Option<&str> {
        match self {
            Self::Key { id, .. } => Some(id),
            Self::Local => Some("local"),
            Self::Anonymous | Self::Refused => None,
        }
    }
}
