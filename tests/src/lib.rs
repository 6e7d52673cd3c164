//! End-to-end tests and what they share: the real binary, a database for each test, a mock endpoint.

pub mod cli;
pub mod corpus;
pub mod database;
pub mod engine;
pub mod environment;
pub mod hub;
pub mod job;
pub mod mock_endpoint;
pub mod proxy;
pub mod python;
pub mod service;
pub mod worker;
