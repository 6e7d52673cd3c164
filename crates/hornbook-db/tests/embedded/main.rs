//! The embedded Postgres through its front door, on real servers.

mod crash;
mod lifecycle;
mod places;
mod stale;
mod support;
