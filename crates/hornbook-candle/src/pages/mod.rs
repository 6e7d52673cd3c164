//! Which sequence holds which page of keys and values: numbers only, no floats.
//!
//! A page has the keys and values of [`PAGE_POSITIONS`] positions. What they are depends on the
//! tokens up to there and on nothing else, so sequences that begin alike hold the same pages. A
//! page is found by the pages before it and its own tokens, and that is how the index keeps it:
//! tokens are compared, never hashes of them.
//!
//! *Promises.* The pages of a prompt are entered when it is admitted, before they are computed.
//! Whoever comes after finds them, holds them too, and computes none of what is filled when its
//! turn comes. There is no owner: of those who hold a page, the first whose turn it is computes
//! what is missing, so that giving one up leaves nothing undone for the others.
//!
//! *The boundary.* Where a prompt leaves another's within a page, the positions they share are
//! copied to a page of its own once they are there. A page that several hold is full or filled
//! with tokens that they all have, so nobody ever writes what another must not read.
//!
//! *Memory.* A sequence is admitted once there is room for all that it may become, so none ever
//! waits for a page while it is written. Pages that nobody holds stay findable until others need
//! the room; the one let go longest ago goes first, and pages that continue it have gone before.

mod book;
mod index;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use book::{PageBook, PageTable};

pub(crate) use crate::kernel::{PAGE_POSITIONS, PageId};
