//! The one keyed hash that plans and workers must compute alike.

/// Mixes two 64-bit words into one, the same on every machine and in every version.
///
/// This is the finaliser of SplitMix64 applied to both words in turn; it decides
/// which seed and which sampling seed a prompt gets, so changing it changes every
/// corpus and needs a new plan version.
pub fn mix(key: u64, value: u64) -> u64 {
    finalise(finalise(key.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ value)
}

fn finalise(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::mix;

    #[test]
    fn is_pinned_for_ever() {
        assert_eq!(mix(0, 0), mix(0, 0));
        assert_ne!(mix(0, 1), mix(1, 0));
        let distinct: std::collections::BTreeSet<u64> = (0..1000).map(|i| mix(42, i)).collect();
        assert_eq!(distinct.len(), 1000);
    }
}
