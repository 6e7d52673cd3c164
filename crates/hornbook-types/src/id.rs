//! Names: what a user may call a thing, and how a version of it is pinned.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::SLUG_BYTES;

/// A name in a URL: 1 to 64 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
pub struct Slug(String);

impl Slug {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let well_formed = !bytes.is_empty()
            && bytes.len() <= SLUG_BYTES
            && bytes.iter().all(|&byte| edge(byte) || byte == b'-')
            && bytes.first().copied().is_some_and(edge)
            && bytes.last().copied().is_some_and(edge);
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "a name is 1 to {SLUG_BYTES} of a-z, 0-9 and '-', beginning and ending with a letter or digit"
            ))
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a user writes: `name` (the latest version) or `name@version`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The name.
    pub slug: Slug,
    /// The version asked for; `None` means the latest when the job is submitted.
    pub version: Option<u32>,
}

/// What is stored: `name@version`, versions counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pinned {
    /// The name.
    pub slug: Slug,
    /// The immutable version.
    pub version: u32,
}

fn parse_version(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(version) if version >= 1 => Ok(version),
        _ => Err(format!("'{text}' is not a version; versions count from 1")),
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(parse_version(version)?)),
            None => (text, None),
        };
        Ok(Self { slug: name.parse()?, version })
    }
}

impl FromStr for Pinned {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = text
            .split_once('@')
            .ok_or_else(|| format!("'{text}' names no version; write name@version"))?;
        Ok(Self { slug: name.parse()?, version: parse_version(version)? })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(out, "{}@{version}", self.slug),
            None => write!(out, "{}", self.slug),
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.slug, self.version)
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }
        impl utoipa::ToSchema for $type {}
    };
}
as_text!(Reference);
as_text!(Pinned);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "middle-school", "x1", "0"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(65);
        for bad in ["", "-a", "a-", "A", "a_b", "a/b", "..", "a@1", too_long.as_str()] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn references_pin_or_leave_open() {
        assert_eq!("story@3".parse::<Reference>().unwrap().version, Some(3));
        assert_eq!("story".parse::<Reference>().unwrap().version, None);
        for bad in ["story@0", "story@", "story@x", "@1", "a@1@2"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
        assert!("story".parse::<Pinned>().is_err());
        assert_eq!("story@2".parse::<Pinned>().unwrap().to_string(), "story@2");
    }
}
