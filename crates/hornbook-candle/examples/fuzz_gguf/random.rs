//! A small source of numbers that a seed decides.

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, 0 where that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next() % limit as u64) as usize }
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    /// A number at or near an edge where counting goes wrong, or any number.
    pub(crate) fn integer(&mut self) -> u64 {
        const EDGES: [u64; 22] = [
            0,
            1,
            2,
            3,
            7,
            8,
            15,
            31,
            32,
            33,
            64,
            255,
            256,
            1_023,
            4_096,
            65_535,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 40,
            i64::MAX as u64,
            u64::MAX,
        ];
        match self.below(8) {
            0 => self.next(),
            1 => self.next() % 1_000,
            2 => self.pick(&EDGES).wrapping_add(1),
            3 => self.pick(&EDGES).wrapping_sub(1),
            _ => *self.pick(&EDGES),
        }
    }
}
