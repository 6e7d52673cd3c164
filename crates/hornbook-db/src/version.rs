//! What the tables of immutable versions have in common.

use crate::{Conflict, DbError};

/// What the caller knows about the latest version of a thing that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// That there is none: the first version is written.
    Absent,
    /// That this is the latest: the next one is written.
    Latest(u32),
    /// Nothing; whatever is there is followed by the next version.
    Any,
}

/// Who wrote a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It came with the software.
    Builtin,
    /// A user wrote it.
    User,
}

/// Which version holds what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The version.
    pub version: u32,
    /// False when the latest version already had this content, so that nothing was written.
    pub created: bool,
}

/// The latest stored version of a thing.
#[derive(sqlx::FromRow)]
pub(crate) struct Latest {
    pub(crate) version: i32,
    pub(crate) sha256: String,
    pub(crate) origin: String,
}

impl Origin {
    /// The name used in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::User => "user",
        }
    }

    pub(crate) fn parse(name: &str) -> Self {
        if name == "builtin" { Self::Builtin } else { Self::User }
    }
}

impl Expect {
    /// The version to write next, or `None` when the latest has this content already.
    pub(crate) fn next(
        self,
        latest: Option<&Latest>,
        sha256: &str,
    ) -> Result<Option<i32>, DbError> {
        let Some(latest) = latest else {
            return match self {
                Self::Absent | Self::Any => Ok(Some(1)),
                Self::Latest(_) => Err(Conflict::Stale { latest: 0 }.into()),
            };
        };
        let known = crate::convert::from_sql32(latest.version);
        match self {
            Self::Latest(version) if version != known => {
                return Err(Conflict::Stale { latest: known }.into());
            }
            Self::Absent if latest.sha256 != sha256 => {
                return Err(Conflict::VersionNeeded { latest: known }.into());
            }
            _ => {}
        }
        Ok((latest.sha256 != sha256).then_some(latest.version + 1))
    }
}
