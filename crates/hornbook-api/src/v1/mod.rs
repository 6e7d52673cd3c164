//! The REST resources, one folder each, one file for each verb.

pub(crate) mod audiences;
pub(crate) mod benchmarks;
pub(crate) mod corpora;
pub(crate) mod corpus;
pub(crate) mod endpoints;
pub(crate) mod imports;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod seed_sets;
pub(crate) mod templates;
mod upload;
pub(crate) mod version;
