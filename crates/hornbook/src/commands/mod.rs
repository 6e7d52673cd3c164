//! One folder or file for each command of the command line.

pub(crate) mod audience;
pub(crate) mod benchmark;
pub(crate) mod completions;
pub(crate) mod corpus;
pub(crate) mod endpoint;
pub(crate) mod engine;
pub(crate) mod healthcheck;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod model;
pub(crate) mod openapi;
pub(crate) mod quickstart;
pub(crate) mod seeds;
pub(crate) mod serve;
pub(crate) mod template;
mod upload;
pub(crate) mod worker;
