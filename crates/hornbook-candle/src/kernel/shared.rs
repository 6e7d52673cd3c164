//! A slice that several threads write disjoint parts of.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable borrow that hands out parts to several threads.
pub(super) struct SharedSlice<'a, T> {
    start: *mut T,
    length: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: all that another thread can do with a reference is to ask for parts, of elements that
// may be sent to it, and who asks promises that no two parts overlap.
#[expect(unsafe_code, reason = "disjoint parts of one slice")]
unsafe impl<T: Send> Sync for SharedSlice<'_, T> {}

impl<'a, T> SharedSlice<'a, T> {
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), borrow: PhantomData }
    }

    /// The elements of `range`.
    ///
    /// # Panics
    /// If the range goes beyond the slice.
    ///
    /// # Safety
    /// While a part is in use, nobody may ask for one that overlaps it.
    #[inline]
    #[expect(unsafe_code, reason = "disjoint parts of one slice")]
    #[expect(clippy::mut_from_ref, reason = "the caller promises that parts do not overlap")]
    pub(super) unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.length, "a part within the slice");
        // SAFETY: the range lies within the slice that is borrowed for 'a, and the caller promises
        // that nobody else uses any of it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// Writes elements that lie `step` apart, the first at `start`.
    ///
    /// # Panics
    /// If they go beyond the slice.
    ///
    /// # Safety
    /// Nobody else may read or write these elements at the same time.
    #[inline(always)]
    #[expect(unsafe_code, reason = "disjoint parts of one slice")]
    pub(super) unsafe fn write_apart<const COUNT: usize>(
        &self,
        start: usize,
        step: usize,
        elements: [T; COUNT],
    ) where
        T: Copy,
    {
        let last = start.saturating_add(step.saturating_mul(COUNT - 1));
        assert!(last < self.length, "elements within the slice");
        for (number, element) in elements.into_iter().enumerate() {
            // SAFETY: no element comes after the last, which lies within the slice that is borrowed
            // for 'a, and the caller promises that nobody else uses it.
            unsafe { self.start.add(start + number * step).write(element) }
        }
    }
}
