//! `cargo xtask arrows`: which crate may use which, and who owns each outside library.
//!
//! Arrows point down. A crate's line in [`ROOMS`] names everything it may use; a line may only name crates of lines
//! above it, so that no circle can come in through tests either.

use serde_json::Value;

use crate::Outcome;
use crate::ambient::Ambient;

/// Every crate, from the bottom up, and what it may use of this workspace.
const ROOMS: [(&str, &[&str]); 13] = [
    ("hornbook-types", &[]),
    ("hornbook-records", &["hornbook-types"]),
    ("hornbook-prompt", &["hornbook-types"]),
    ("hornbook-inference", &["hornbook-types"]),
    ("hornbook-candle", &["hornbook-types", "hornbook-inference"]),
    ("hornbook-hub", &["hornbook-types", "hornbook-inference"]),
    ("hornbook-db", &["hornbook-types"]),
    ("hornbook-corpus", &["hornbook-types", "hornbook-records"]),
    (
        "hornbook-worker",
        &[
            "hornbook-types",
            "hornbook-records",
            "hornbook-prompt",
            "hornbook-inference",
            "hornbook-db",
            "hornbook-corpus",
        ],
    ),
    (
        "hornbook-api",
        &[
            "hornbook-types",
            "hornbook-records",
            "hornbook-prompt",
            "hornbook-db",
            "hornbook-inference",
        ],
    ),
    (
        "hornbook",
        &[
            "hornbook-types",
            "hornbook-records",
            "hornbook-prompt",
            "hornbook-inference",
            "hornbook-candle",
            "hornbook-hub",
            "hornbook-db",
            "hornbook-corpus",
            "hornbook-worker",
            "hornbook-api",
        ],
    ),
    ("hornbook-tests", &["hornbook-types"]),
    ("xtask", &[]),
];

/// Libraries that show on the outside of a room, and the rooms that own them; a name stands for its family
/// (`arrow` for `arrow-array`).
const OWNERS: [(&str, &[&str]); 15] = [
    ("sqlx", &["hornbook-db"]),
    ("chacha20poly1305", &["hornbook-db"]),
    ("axum", &["hornbook-api"]),
    ("tower", &["hornbook-api"]),
    ("candle", &["hornbook-candle"]),
    ("minijinja", &["hornbook-candle"]),
    ("parquet", &["hornbook-records"]),
    ("arrow", &["hornbook-records"]),
    ("csv", &["hornbook-records"]),
    ("flate2", &["hornbook-records"]),
    ("tokenizers", &["hornbook-candle", "hornbook-corpus"]),
    // One guarded client, used by all; and the command line's.
    ("reqwest", &["hornbook-inference", "hornbook"]),
    ("tera", &["hornbook-prompt", "hornbook-api"]),
    ("governor", &["hornbook-api"]),
    // The worker publishes, the api streams out, the binary makes the store that both are handed.
    ("object_store", &["hornbook-worker", "hornbook-api", "hornbook"]),
];

/// This crate tests from outside and may use any library to do so.
const TESTS: &str = "hornbook-tests";

/// Fails with every edge that the tables do not have.
pub(crate) fn run(ambient: &Ambient) -> Outcome {
    let wrong = wrong_edges(&ambient.metadata);
    if wrong.is_empty() { Ok(()) } else { Err(format!("\n  {}", wrong.join("\n  "))) }
}

/// Every wrong edge in the answer of `cargo metadata --no-deps`, in words.
fn wrong_edges(metadata: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    if packages.is_empty() {
        wrong.push("cargo metadata names no package".to_owned());
    }
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(floor) = ROOMS.iter().position(|(room, _)| *room == name) else {
            wrong.push(format!("{name} is not in the table of rooms"));
            continue;
        };
        for dependency in package["dependencies"].as_array().map_or(&[][..], Vec::as_slice) {
            let used = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            wrong.extend(wrong_edge(floor, used, dependency["path"].is_string(), for_tests));
        }
    }
    wrong
}

fn wrong_edge(floor: usize, used: &str, is_room: bool, for_tests: bool) -> Option<String> {
    let (name, allowed) = ROOMS[floor];
    if is_room {
        let down = ROOMS[..floor].iter().any(|(room, _)| *room == used);
        if for_tests {
            return (!down)
                .then(|| format!("{name} may not test with {used}, which lies above it"));
        }
        return (!down || !allowed.contains(&used)).then(|| format!("{name} may not use {used}"));
    }
    if for_tests || name == TESTS {
        return None;
    }
    let (_, owners) = OWNERS.iter().find(|(library, _)| is_family(used, library))?;
    (!owners.contains(&name))
        .then(|| format!("{name} may not use {used}, which belongs to {}", owners.join(" and ")))
}

fn is_family(name: &str, library: &str) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Metadata of one crate with one dependency.
    fn metadata(name: &str, used: &str, path: Option<&str>, kind: Option<&str>) -> Value {
        json!({"packages": [{"name": name, "dependencies": [
            {"name": used, "kind": kind, "path": path},
            {"name": "serde", "kind": null, "path": null},
        ]}]})
    }

    #[test]
    fn arrows_down_are_allowed() {
        assert_eq!(
            wrong_edges(&metadata("hornbook-db", "hornbook-types", Some("/"), None)),
            [""; 0]
        );
        assert_eq!(wrong_edges(&metadata("hornbook-db", "sqlx", None, None)), [""; 0]);
        assert_eq!(wrong_edges(&metadata("hornbook-hub", "axum", None, Some("dev"))), [""; 0]);
        assert_eq!(
            wrong_edges(&metadata("hornbook-worker", "hornbook-candle", Some("/"), Some("dev"))),
            [""; 0]
        );
    }

    #[test]
    fn every_other_arrow_is_named() {
        for (name, used, path, kind) in [
            ("hornbook-api", "hornbook-worker", Some("/"), None),
            ("hornbook-api", "hornbook-candle", Some("/"), None),
            ("hornbook-prompt", "hornbook-db", Some("/"), None),
            ("hornbook-prompt", "hornbook-db", Some("/"), Some("build")),
            ("hornbook-types", "hornbook-db", Some("/"), Some("dev")),
            ("hornbook-worker", "sqlx", None, None),
            ("hornbook-db", "axum-extra", None, None),
            ("hornbook-corpus", "arrow-array", None, None),
            ("hornbook-attic", "serde", None, None),
        ] {
            let wrong = wrong_edges(&metadata(name, used, path, kind));
            assert_eq!(wrong.len(), 1, "{name} -> {used}: {wrong:?}");
            assert!(wrong[0].contains(name), "{wrong:?}");
        }
        assert_eq!(wrong_edges(&json!({"packages": []})).len(), 1);
    }

    #[test]
    fn the_table_itself_points_down() {
        for (floor, (name, allowed)) in ROOMS.iter().enumerate() {
            for used in *allowed {
                assert!(ROOMS[..floor].iter().any(|(room, _)| room == used), "{name} -> {used}");
            }
        }
    }
}
