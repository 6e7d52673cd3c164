//! The REST resources, one folder each, one file for each verb.

pub(crate) mod audiences;
pub(crate) mod corpora;
pub(crate) mod corpus;
pub(crate) mod endpoints;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod seed_sets;
pub(crate) mod templates;
pub(crate) mod version;
