//! Pushing a corpus to a repository on the Hub: everything in one commit, or nothing.
//!
//! The Hub is asked how it wants each file; large ones go to where it says, by their SHA-256, and the
//! commit names them. What it has already is not sent again, so a push that broke off is resumed by the same call.

mod api;
mod commit;
mod directory;
mod error;
mod lfs;
mod limits;
mod repo;
mod run;
mod source;
mod spec;
mod stale;

pub use directory::Directory;
pub use error::PushError;
pub use run::{PushProgress, Pushed, push};
pub use source::{ByteStream, PushFile, Source};
pub use spec::PushSpec;
