//! Every SQL statement of the service, and the rules that they keep.
//!
//! Postgres is the only hand-over between processes, so what one room of the house may rely on
//! about another is stated here: who may write what, with which token, and in which state. The
//! story of the tables is in `docs/DATA_MODEL.md`; the tables themselves are in `migrations/`.
//!
//! | module | what it says to the database |
//! |---|---|
//! | [`audiences`], [`templates`], [`seed_sets`], [`seeds`] | the catalog: immutable versions of what prompts are made from |
//! | [`catalog`] | load the built-in catalog without touching what users wrote |
//! | [`endpoints`] | who completes prompts; keys sealed with a [`SecretKey`] |
//! | [`batches`] | what was sent off to be answered within a day, and must be found again |
//! | [`jobs`] | submit, look, pause, resume, cancel, retry, delete |
//! | [`budgets`] | what a job may cost, in slices that workers lease |
//! | [`chunks`], [`leases`] | who works on which prompts |
//! | [`shares`] | what each worker may use of an endpoint's limits |
//! | [`documents`] | store finished documents in fenced groups; read pages of them |
//! | [`events`], [`Notifier`] | what happened to a job, and being woken when it does |
//! | [`benchmarks`], [`imports`] | what corpora must not hold, and what they may be made from |
//! | [`assembly`], [`corpora`] | who assembles a corpus, and publishing it |
//! | [`keys`], [`idempotency`] | who may ask, and asking twice |
//! | [`workers`], [`janitor`] | who is at work, and cleaning up after those who are not |
//!
//! Functions take a [`Db`] and say what went wrong as a [`DbError`]: what to do about it, never
//! which SQL it was. Retrying after a lost connection is the caller's.

pub mod assembly;
pub mod audiences;
pub mod batches;
pub mod benchmarks;
pub mod budgets;
pub mod catalog;
pub mod chunks;
mod convert;
pub mod corpora;
mod db;
pub mod documents;
pub mod embedded;
pub mod endpoints;
mod error;
pub mod events;
pub mod idempotency;
pub mod imports;
pub mod janitor;
pub mod jobs;
pub mod keys;
pub mod leases;
pub mod limits;
mod notifier;
mod secret_key;
mod seed_import;
pub mod seed_sets;
pub mod seeds;
pub mod shares;
pub mod templates;
mod version;
pub mod workers;

pub use db::Db;
pub use error::{Conflict, DbError, Quota, QuotaExceeded};
pub use notifier::{Notifier, Subscription};
pub use secret_key::SecretKey;
pub use version::{Expect, Origin, Stored};
