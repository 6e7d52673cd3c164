//! Whose texts went in and under what licence: for the header, a table and warnings that cannot be missed.

use super::{CardFacts, Made, Origin, line};
use crate::escape::{markdown, yaml};

/// Licence identifiers that the Hub knows and that text is likely to have.
const HUB_LICENSES: [&str; 22] = [
    "agpl-3.0",
    "apache-2.0",
    "artistic-2.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc-by-2.0",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "cdla-permissive-2.0",
    "cdla-sharing-1.0",
    "gfdl",
    "gpl-2.0",
    "gpl-3.0",
    "mit",
    "odbl",
    "odc-by",
    "pddl",
    "unlicense",
];
/// Most sources that a table lists; the manifest has them all.
const LISTED: usize = 100;

/// What a licence means for whoever passes the corpus on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Terms {
    /// Known to let texts be passed on, perhaps under conditions.
    Open,
    /// Nobody said, or the words are not known here.
    Unknown,
    /// For purposes that earn nothing.
    NonCommercial,
    /// It forbids passing texts on, or what was made of them.
    Closed,
}

/// Reads a licence as people write it: an SPDX identifier or expression, the Hub's id, or words.
pub(crate) fn terms(license: &str) -> Terms {
    use hornbook_types::Redistribution;
    let lower = license.to_lowercase();
    let has = |word: &str| lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|it| it == word);
    let forbids =
        ["no redistribution", "not be redistributed", "not redistribut", "do not distribute"];
    let closed = has("confidential") || forbids.iter().any(|words| lower.contains(words));
    match Redistribution::of_license(license) {
        Redistribution::Forbidden => Terms::Closed,
        _ if closed => Terms::Closed,
        Redistribution::Allowed if has("nc") => Terms::NonCommercial,
        Redistribution::Allowed => Terms::Open,
        Redistribution::Unknown => {
            let is_known = HUB_LICENSES.contains(&lower.trim());
            if is_known { Terms::Open } else { Terms::Unknown }
        }
    }
}

/// The Hub's identifier of a licence, if it has one.
pub(crate) fn hub_license(license: &str) -> Option<&'static str> {
    let id = license.trim().to_ascii_lowercase();
    HUB_LICENSES.into_iter().find(|known| *known == id)
}

/// Different licences of the origins, in their order.
fn different(origins: &[Origin]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for origin in origins {
        let license = origin.license.trim();
        let is_new = !found.iter().any(|known| known.eq_ignore_ascii_case(license));
        if is_new && found.len() < LISTED {
            found.push(license);
        }
    }
    found
}

/// `license` of the YAML header.
pub(super) fn header(out: &mut String, origins: &[Origin]) {
    match different(origins).as_slice() {
        [one] if hub_license(one).is_some() => {
            line!(out, "license: {}", hub_license(one).unwrap_or_default());
        }
        several => {
            line!(out, "license: other");
            let named: Vec<&str> = several.iter().filter(|it| !it.is_empty()).copied().collect();
            if !named.is_empty() {
                line!(out, "license_name: {}", yaml(&named.join(", ")));
            }
        }
    }
}

/// What must be read before the corpus is passed on.
pub(super) fn warnings(out: &mut String, origins: &[Origin]) {
    let of = |wanted: Terms| -> Vec<&Origin> {
        origins.iter().filter(|origin| terms(&origin.license) == wanted).collect()
    };
    let names = |found: &[&Origin]| {
        let mut text: Vec<String> = found
            .iter()
            .take(LISTED)
            .map(|origin| match origin.license.trim() {
                "" => markdown(&origin.name),
                license => format!("{} ({})", markdown(&origin.name), markdown(license)),
            })
            .collect();
        if found.len() > LISTED {
            text.push(format!("and {} more", found.len() - LISTED));
        }
        text.join(", ")
    };
    let closed = of(Terms::Closed);
    if !closed.is_empty() {
        line!(out, "> [!CAUTION]");
        line!(
            out,
            "> **Do not pass this corpus on.** By their licences these sources forbid redistribution, or that of \
             what is made from them: {}.\n",
            names(&closed)
        );
    }
    let personal = of(Terms::NonCommercial);
    if !personal.is_empty() {
        line!(out, "> [!WARNING]");
        line!(out, "> **Not for commercial use**, by the licences of: {}.\n", names(&personal));
    }
    let unknown = of(Terms::Unknown);
    if !unknown.is_empty() {
        line!(out, "> [!WARNING]");
        line!(
            out,
            "> **Find out before you pass this corpus on.** Nobody stated a licence of these sources, or none \
             that Hornbook knows: {}.\n",
            names(&unknown)
        );
    }
}

/// The section about licences.
pub(super) fn licences(out: &mut String, facts: &CardFacts<'_>) {
    line!(out, "## Licences\n");
    if let Made::Job(spec) = facts.made {
        line!(
            out,
            "Seed set {} has {} records; the column `seed_data` holds each row's own.\n",
            spec.seed_set,
            spec.seeds
        );
    }
    line!(out, "| what | licence | from |\n|---|---|---|");
    let or_unknown = |text: &str| match text.trim() {
        "" => "not stated".to_owned(),
        text => markdown(text),
    };
    for Origin { name, license, source } in facts.origins.iter().take(LISTED) {
        line!(out, "| {} | {} | {} |", markdown(name), or_unknown(license), or_unknown(source));
    }
    if let Some(more) = facts.origins.len().checked_sub(LISTED).filter(|more| *more > 0) {
        line!(out, "| and {more} more, in `manifest.json` | | |");
    }
    line!(out, "\nLicences are what the importers named; nobody checked them.\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &str, license: &str) -> Origin {
        Origin { name: name.to_owned(), license: license.to_owned(), source: String::new() }
    }

    #[test]
    fn every_licence_is_taken_seriously() {
        for (license, expected) in [
            ("CC0-1.0", Terms::Open),
            ("GPL-2.0-or-later", Terms::Open),
            ("odbl", Terms::Open),
            ("CC-BY-NC-SA-4.0", Terms::NonCommercial),
            ("CC-BY-ND-4.0", Terms::Closed),
            ("All rights reserved", Terms::Closed),
            ("may not be redistributed", Terms::Closed),
            ("", Terms::Unknown),
            ("ask Bob", Terms::Unknown),
        ] {
            assert_eq!(terms(license), expected, "{license}");
        }
    }

    #[test]
    fn a_closed_source_is_seen_first() {
        let mut out = String::new();
        warnings(&mut out, &[origin("web", ""), origin("b|<k>\n# x", "CC-BY-ND-4.0")]);
        assert!(out.starts_with("> [!CAUTION]\n> **Do not pass this corpus on.**"), "{out}");
        assert!(out.contains(": b\\|&lt;k&gt; \\# x (CC-BY-ND-4.0).\n"), "{out}");
        assert!(out.contains("> **Find out before you pass this corpus on.**"), "{out}");
        let mut quiet = String::new();
        warnings(&mut quiet, &[origin("a", "MIT")]);
        assert_eq!(quiet, "");
    }

    #[test]
    fn the_header_names_one_licence_or_other() {
        for (origins, expected) in [
            (vec![origin("a", "CC0-1.0"), origin("b", "cc0-1.0 ")], "license: cc0-1.0\n"),
            (vec![], "license: other\n"),
            (
                vec![origin("a", "MIT"), origin("b", "x: \"y\"\nz"), origin("c", "")],
                "license: other\nlicense_name: \"MIT, x: \\\"y\\\"\\nz\"\n",
            ),
        ] {
            let mut out = String::new();
            header(&mut out, &origins);
            assert_eq!(out, expected);
        }
    }
}
