//! The exact Jaccard of candidate pairs.

use super::documents::Members;
use super::pair::Pair;
use super::parallel;
use super::texts::{SetBuffer, SetFile};
use crate::AssembleError;

/// Compares the sets of candidate pairs.
pub(super) struct Verifier<'a> {
    /// The sets.
    pub(super) sets: &'a SetFile,
    /// The documents that have one.
    pub(super) members: &'a Members,
    /// Least Jaccard of a duplicate, in thousandths.
    pub(super) threshold_per_mille: u32,
    /// Threads to use.
    pub(super) threads: usize,
}

impl Verifier<'_> {
    /// The Jaccard of each pair that reaches the threshold, in the pairs' order.
    pub(super) fn verify(&self, pairs: &[Pair]) -> Result<Vec<Option<f32>>, AssembleError> {
        let chunks = parallel::chunks(pairs, self.threads, |pairs| self.verify_chunk(pairs));
        Ok(chunks.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn verify_chunk(&self, pairs: &[Pair]) -> Result<Vec<Option<f32>>, AssembleError> {
        let (mut worse, mut better) = (SetBuffer::default(), SetBuffer::default());
        let mut read = None;
        let mut verified = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let places = (self.members.place(pair.worse.1), self.members.place(pair.better.1));
            let lens = (self.sets.len(places.0), self.sets.len(places.1));
            // Sets of such sizes cannot have more in common than the smaller has at all.
            if !self.reaches(lens.0.min(lens.1), lens.0.max(lens.1)) {
                verified.push(None);
                continue;
            }
            if read.replace(places.0) != Some(places.0) {
                self.sets.read(places.0, &mut worse)?;
            }
            self.sets.read(places.1, &mut better)?;
            let common = common(&worse.set, &better.set);
            let union = lens.0 + lens.1 - common;
            verified.push(self.reaches(common, union).then(|| common as f32 / union as f32));
        }
        Ok(verified)
    }

    fn reaches(&self, common: u64, union: u64) -> bool {
        union > 0 && common * 1_000 >= union * u64::from(self.threshold_per_mille)
    }
}

/// How many numbers two ascending lists share.
fn common(one: &[u64], other: &[u64]) -> u64 {
    let (mut at_one, mut at_other, mut common) = (0, 0, 0);
    while at_one < one.len() && at_other < other.len() {
        let (a, b) = (one[at_one], other[at_other]);
        // No branch: which list goes on cannot be foretold.
        common += u64::from(a == b);
        at_one += usize::from(a <= b);
        at_other += usize::from(b <= a);
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_numbers_are_counted() {
        for (one, other, expected) in [
            (&[1, 2, 3][..], &[2, 3, 4][..], 2),
            (&[], &[1], 0),
            (&[1, 5, 9], &[1, 5, 9], 3),
            (&[1, 3], &[2, 4], 0),
        ] {
            assert_eq!(common(one, other), expected);
            assert_eq!(common(other, one), expected);
        }
    }
}
