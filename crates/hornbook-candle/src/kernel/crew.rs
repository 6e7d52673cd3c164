//! Who computes.

use super::{Isa, Team};

/// A team of threads and the instruction set that they use.
#[derive(Clone, Copy)]
pub(crate) struct Crew<'a> {
    pub(crate) team: &'a Team,
    pub(crate) isa: Isa,
}
