//! Records as numbers of 128 bits whose order is the order they are needed in.

/// A document in one bucket; ascending by bucket, then by priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Key of the bucket.
    pub(super) key: u64,
    /// Place of the document's score: the best is the smallest.
    pub(super) order: u32,
    /// The document.
    pub(super) index: u32,
}

impl Member {
    /// Packs it.
    pub(super) fn pack(self) -> u128 {
        u128::from(self.key) << 64 | u128::from(self.order) << 32 | u128::from(self.index)
    }

    /// Unpacks it.
    #[expect(clippy::cast_possible_truncation, reason = "the parts are cut out")]
    pub(super) fn unpack(record: u128) -> Self {
        Self { key: (record >> 64) as u64, order: (record >> 32) as u32, index: record as u32 }
    }

    /// Whether it is a reference, which is never dropped.
    pub(super) fn is_reference(self) -> bool {
        self.order == REFERENCE
    }
}

/// Two documents to compare; ascending by the priority of the worse, then of the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// Order and index of the one with less priority.
    pub(super) worse: (u32, u32),
    /// Order and index of the one with more priority.
    pub(super) better: (u32, u32),
}

impl Pair {
    /// Packs it.
    pub(super) fn pack(self) -> u128 {
        let half = |(order, index): (u32, u32)| u128::from(order) << 32 | u128::from(index);
        half(self.worse) << 64 | half(self.better)
    }

    /// Unpacks it.
    #[expect(clippy::cast_possible_truncation, reason = "the parts are cut out")]
    pub(super) fn unpack(record: u128) -> Self {
        Self {
            worse: ((record >> 96) as u32, (record >> 64) as u32),
            better: ((record >> 32) as u32, record as u32),
        }
    }
}

/// The order of references: before every score.
pub(super) const REFERENCE: u32 = 0;

/// The order of a score: the highest comes first, what is not a number last.
pub(super) fn order_of(score: f32) -> u32 {
    if score.is_nan() {
        return u32::MAX;
    }
    // Both zeros are the same score.
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_scores_come_first() {
        let scores =
            [f32::INFINITY, 5.0, 1.0e-30, 0.0, -1.0e-30, -2.5, f32::NEG_INFINITY, f32::NAN];
        let orders = scores.map(order_of);
        assert!(orders.is_sorted_by(|a, b| a < b), "{orders:?}");
        assert!(orders[0] > REFERENCE);
        assert_eq!(order_of(0.0), order_of(-0.0));
        assert_eq!(order_of(f32::NAN), order_of(-f32::NAN));
    }

    #[test]
    fn records_come_back() {
        let member = Member { key: u64::MAX - 3, order: 1 << 31, index: 7 };
        assert_eq!(Member::unpack(member.pack()), member);
        let pair = Pair { worse: (u32::MAX, 1), better: (2, u32::MAX - 1) };
        assert_eq!(Pair::unpack(pair.pack()), pair);
    }
}
