//! A keyed permutation of `0..size`, computed one position at a time.

use hornbook_types::mix;

/// Rounds of the network; four already make a pseudorandom permutation of good round functions.
const ROUNDS: u64 = 6;

/// Where position `index` of `0..size` goes under `key`.
///
/// A balanced Feistel network over the next even number of bits, walked until it lands
/// below `size`: fewer than four steps on average. `index` must be below `size`.
pub(crate) fn permute(key: u64, size: u64, index: u64) -> u64 {
    debug_assert!(index < size, "position {index} of {size}");
    if size <= 1 {
        return 0;
    }
    let bits = 64 - (size - 1).leading_zeros();
    let half = bits.div_ceil(2);
    let mask = (1u64 << half) - 1;
    let mut word = index;
    loop {
        let (mut left, mut right) = (word >> half, word & mask);
        for round in 0..ROUNDS {
            let turned = left ^ (mix(mix(key, round), right) & mask);
            left = right;
            right = turned;
        }
        word = left << half | right;
        if word < size {
            return word;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::permute;
    use proptest::prelude::*;

    #[test]
    fn is_pinned_for_ever() {
        let order: Vec<u64> = (0..12).map(|index| permute(42, 12, index)).collect();
        assert_eq!(order, GOLDEN_12);
        assert_eq!(permute(7, 1 << 40, 123_456_789), GOLDEN_LARGE);
    }

    const GOLDEN_12: [u64; 12] = [11, 9, 4, 1, 7, 0, 2, 6, 3, 10, 5, 8];
    const GOLDEN_LARGE: u64 = 712_561_095_777;

    proptest! {
        #[test]
        fn hits_every_position_once(key: u64, size in 1u64..3000) {
            let mut seen = vec![false; size as usize];
            for index in 0..size {
                let there = permute(key, size, index) as usize;
                prop_assert!(!std::mem::replace(&mut seen[there], true));
            }
        }
    }
}
