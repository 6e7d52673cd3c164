//! The memory that bodies under way may take, over all endpoints of the process.
//!
//! A small body costs nothing here. One that grows past what is free takes a place among bodies of
//! up to twice the size, then of four times, and so on; each size has as many places as fit in
//! [`SIZE_BYTES`]. A body waits for a place of the next size while it keeps that of its own, and the
//! largest wait for nobody, so they always go on.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes of a body that are free.
const FREE_BYTES: usize = 32 * 1024;
/// Bytes that all bodies of one size may take together.
const SIZE_BYTES: usize = 32 * 1024 * 1024;
/// Sizes: twice [`FREE_BYTES`], four times, and so on to 16 MiB.
const SIZES: usize = 9;

static PLACES: [Semaphore; SIZES] = {
    let mut places = [const { Semaphore::const_new(0) }; SIZES];
    let mut size = 0;
    while size < SIZES {
        places[size] = Semaphore::const_new(SIZE_BYTES / (FREE_BYTES << (size + 1)));
        size += 1;
    }
    places
};

/// A body's place, as large as the body so far.
#[derive(Default)]
pub(super) struct Place {
    held: Option<SemaphorePermit<'static>>,
    /// Bytes that the place has room for, beyond what is free.
    room_bytes: usize,
}

impl Place {
    /// Waits until there is room for a body of so many bytes.
    pub(super) async fn grow_to(&mut self, bytes: usize) {
        if bytes <= FREE_BYTES || bytes <= self.room_bytes {
            return;
        }
        let size = size_for(bytes);
        // Nobody closes them.
        if let Ok(place) = PLACES[size].acquire().await {
            self.held = Some(place);
            self.room_bytes = FREE_BYTES << (size + 1);
        }
    }
}

/// The smallest size that holds so many bytes, or the largest there is.
fn size_for(bytes: usize) -> usize {
    (0..SIZES - 1).find(|size| bytes <= FREE_BYTES << (size + 1)).unwrap_or(SIZES - 1)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn large_bodies_wait_and_small_ones_do_not() {
        assert_eq!(
            [FREE_BYTES + 1, 65_536, 65_537, 16 << 20, 17 << 20].map(size_for),
            [0, 0, 1, 8, 8]
        );
        let mut large = Vec::new();
        for _ in 0..2 {
            let mut place = Place::default();
            place.grow_to(16 << 20).await;
            large.push(place);
        }
        let mut other = Place::default();
        assert!(other.grow_to(FREE_BYTES).now_or_never().is_some());
        assert!(other.grow_to(9 << 20).now_or_never().is_none(), "48 MiB would be too much");
        // It keeps what it has, and smaller ones have places of their own.
        assert!(other.grow_to(100_000).now_or_never().is_some());
        large.pop();
        assert!(other.grow_to(9 << 20).now_or_never().is_some());
        drop(large);
    }
}
