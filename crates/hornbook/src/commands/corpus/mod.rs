//! `hornbook corpus`: fetch finished corpora, and build corpora from files.

pub(crate) mod build;
pub(crate) mod pull;
