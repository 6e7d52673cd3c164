//! Who asks: API keys, dashboard sessions, and what they may do.

mod authenticate;
mod caller;
mod scope;
mod session;
mod token;

pub(crate) use authenticate::{authenticate, bearer};
pub use caller::Caller;
pub use scope::{CanAdmin, CanRead, CanWrite};
pub use session::{SESSION_COOKIE, end_session, start_session};
pub use token::{KeyToken, secret_digest};
