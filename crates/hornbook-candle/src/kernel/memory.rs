//! Memory from the operating system itself: zero, in whole pages, committed when first written.

use std::io::{Error, ErrorKind};
use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::MmapMut;

/// Elements in memory of their own, zero at first.
///
/// On Linux it consists of huge pages (2 MiB) where there are some: with small ones, reading a
/// little here and a little there waits for translations of addresses more than for memory. What is
/// used together should therefore lie together, for the first write anywhere commits a whole page.
pub(super) struct Memory<T> {
    map: MmapMut,
    elements: PhantomData<T>,
}

impl<T: Pod> Memory<T> {
    /// Room for `length` elements; an error where the operating system refuses that much.
    pub(super) fn new(length: usize) -> Result<Self, Error> {
        const { assert!(align_of::<T>() <= 4_096, "no page is smaller") };
        let bytes = length.checked_mul(size_of::<T>()).ok_or(ErrorKind::OutOfMemory)?;
        let map = MmapMut::map_anon(bytes)?;
        #[cfg(target_os = "linux")]
        if let Err(error) = map.advise(memmap2::Advice::HugePage) {
            // A kernel without them: slower, and as good in all else.
            tracing::debug!(%error, bytes, "no huge pages");
        }
        Ok(Self { map, elements: PhantomData })
    }

    /// All elements.
    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[T] {
        bytemuck::cast_slice(&self.map)
    }

    /// All elements, to be written.
    #[inline(always)]
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_aligned_and_keeps_what_is_written() {
        for length in [0, 1, 1_000, 300_000] {
            let mut memory = Memory::<[u16; 16]>::new(length).expect("there is memory");
            assert_eq!(memory.as_slice().len(), length);
            assert!(memory.as_slice().as_ptr().addr().is_multiple_of(4_096));
            assert!(memory.as_slice().iter().all(|element| *element == [0; 16]));
            for (number, element) in memory.as_mut_slice().iter_mut().enumerate() {
                *element = [number as u16; 16];
            }
            let written = memory.as_slice().iter().zip(0_usize..);
            assert!(written.into_iter().all(|(element, number)| *element == [number as u16; 16]));
        }
    }

    #[test]
    fn too_much_memory_is_an_error() {
        for length in [usize::MAX, usize::MAX / 16, isize::MAX as usize / 16] {
            assert!(Memory::<u128>::new(length).is_err(), "{length}");
        }
    }
}
