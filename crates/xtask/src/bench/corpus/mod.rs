//! `cargo xtask bench corpus`: what making a corpus costs and how right it is, on documents with planted truth.

mod assembly;
mod decontaminate;
mod near;
mod near_peers;
mod options;
mod report;
mod tokens;

use crate::Outcome;
use crate::ambient::Ambient;

/// Runs what the first word names.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    match arguments.split_first() {
        Some((what, rest)) if what == "assembly" => assembly::run(rest, ambient),
        Some((what, rest)) if what == "decontaminate" => decontaminate::run(rest, ambient),
        Some((what, rest)) if what == "near" => near::run(rest, ambient),
        Some((what, rest)) if what == "tokens" => tokens::run(rest, ambient),
        _ => Err("needs 'assembly', 'decontaminate', 'near' or 'tokens'; try 'cargo xtask help'"
            .to_owned()),
    }
}
