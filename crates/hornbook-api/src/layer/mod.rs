//! What every request passes before a handler sees it.

mod deadline;
mod host;
mod idempotent;
mod origin;
mod panic;
mod rate;

pub(crate) use deadline::deadline;
pub(crate) use host::{AllowedHosts, check_host};
pub(crate) use idempotent::{KeepInstead, idempotent};
pub(crate) use origin::check_origin;
pub(crate) use panic::caught;
pub(crate) use rate::{Limiter, limit_rate};
