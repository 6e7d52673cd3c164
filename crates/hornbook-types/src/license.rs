//! What a licence says of passing text on.

use serde::{Deserialize, Serialize};

/// Beginnings of SPDX identifiers under which text may be passed on, changed or in a collection;
/// `cc-by-nc` among them, because it does not forbid that but what is done with it.
const ALLOWING: [&str; 36] = [
    "0bsd",
    "afl-",
    "agpl-",
    "apache-",
    "artistic-",
    "blueoak-",
    "bsd-",
    "bsl-1.0",
    "c-uda-",
    "cc-by-",
    "cc-pddc",
    "cc0-",
    "cdla-",
    "ecl-",
    "epl-",
    "etalab-",
    "eupl-",
    "fdl-",
    "gfdl-",
    "gpl-",
    "isc",
    "lgpl-",
    "mit",
    "mit-0",
    "mpl-",
    "ms-pl",
    "ncsa",
    "odbl-",
    "odc-by-",
    "ogl-",
    "openssl",
    "osl-",
    "pddl-",
    "postgresql",
    "unlicense",
    "zlib",
];

/// What a licence says of passing text on.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Redistribution {
    /// A known licence that allows it, perhaps under conditions.
    Allowed,
    /// Nobody named a licence, or it is none that is known here.
    Unknown,
    /// It forbids it, or forbids passing on what was made of the text.
    Forbidden,
}

impl Redistribution {
    /// What an SPDX identifier or expression says, in any case; of `OR` the best, of `AND` the worst.
    ///
    /// ```
    /// use hornbook_types::Redistribution;
    /// assert_eq!(Redistribution::of_license("CC-BY-SA-4.0"), Redistribution::Allowed);
    /// assert_eq!(Redistribution::of_license("CC-BY-ND-4.0"), Redistribution::Forbidden);
    /// assert_eq!(Redistribution::of_license("ask Bob"), Redistribution::Unknown);
    /// ```
    pub fn of_license(license: &str) -> Self {
        let license = license.to_lowercase().replace(['(', ')'], " ");
        let one_of = |choice: &str| choice.split(" and ").map(of_one).max();
        license.split(" or ").filter_map(one_of).min().unwrap_or(Self::Unknown)
    }

    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Unknown => "unknown",
            Self::Forbidden => "forbidden",
        }
    }

    /// The value of that name; one that is not known says nothing.
    pub fn parse(name: &str) -> Self {
        [Self::Allowed, Self::Forbidden]
            .into_iter()
            .find(|value| value.as_str() == name)
            .unwrap_or(Self::Unknown)
    }
}

/// Of one identifier, in lower case; what follows `with` only adds permissions.
fn of_one(license: &str) -> Redistribution {
    let license = license.split(" with ").next().unwrap_or_default().trim().trim_end_matches('+');
    let words = || license.split(|c: char| !c.is_ascii_alphanumeric());
    let closed = ["proprietary", "nd", "noderivatives", "noredistribution"];
    if words().any(|word| closed.contains(&word)) || license == "all rights reserved" {
        return Redistribution::Forbidden;
    }
    let known = |name: &&str| match name.strip_suffix('-') {
        Some(_) => license.starts_with(*name),
        None => license == *name,
    };
    if ALLOWING.iter().any(known) || license == "cc0" {
        Redistribution::Allowed
    } else {
        Redistribution::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::Redistribution::{self, Allowed, Forbidden, Unknown};

    #[test]
    fn known_licences_are_told_from_those_that_forbid_and_from_mere_words() {
        for (license, expected) in [
            ("CC0-1.0", Allowed),
            ("cc-by-4.0", Allowed),
            ("CC-BY-NC-SA-4.0", Allowed),
            ("MIT", Allowed),
            ("BSL-1.0", Allowed),
            ("ODC-By-1.0", Allowed),
            ("GPL-2.0-or-later WITH Classpath-exception-2.0", Allowed),
            ("GPL-2.0+", Allowed),
            ("CC-BY-ND-4.0", Forbidden),
            ("cc-by-nc-nd-3.0", Forbidden),
            ("proprietary", Forbidden),
            ("LicenseRef-Proprietary-Acme", Forbidden),
            ("All rights reserved", Forbidden),
            ("unknown", Unknown),
            ("", Unknown),
            ("mitigated", Unknown),
            ("other", Unknown),
            ("MIT OR CC-BY-ND-4.0", Allowed),
            ("(MIT AND CC-BY-ND-4.0)", Forbidden),
            ("MIT AND unknown", Unknown),
        ] {
            assert_eq!(Redistribution::of_license(license), expected, "{license}");
        }
    }
}
