//! The arithmetic of hashes. Signatures are stored, so a change of anything here is a new scheme version.

/// An odd number with as many ones as zeros, near the golden ratio of 2^64.
pub(super) const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads every bit of a hash over all of it (the finaliser of SplitMix64, Stafford's variant 13).
#[inline]
pub(super) fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The numbers that SplitMix64 draws from a seed.
pub(super) fn drawn(seed: u64) -> impl Iterator<Item = u64> {
    let step = move |number: u64| seed.wrapping_add(number.wrapping_mul(PRIME));
    (1..=u64::MAX).map(move |number| finish(step(number)))
}
