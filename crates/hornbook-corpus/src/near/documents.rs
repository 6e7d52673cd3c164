//! Documents by number: which of them are in question, and their place among those.

/// A set of numbers, one bit each up to the largest.
#[derive(Debug, Default)]
pub(super) struct Members {
    bits: Vec<u64>,
    /// Members before each word of bits.
    before: Vec<u32>,
}

impl Members {
    /// Adds a number.
    pub(super) fn insert(&mut self, number: u32) {
        let word = number as usize / 64;
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (number % 64);
    }

    /// Counts once, so that [`place`](Self::place) can be asked.
    pub(super) fn seal(&mut self) {
        let mut count = 0;
        self.before.clear();
        for word in &self.bits {
            self.before.push(count);
            count += word.count_ones();
        }
    }

    /// How many smaller members there are than this one, which is a member.
    pub(super) fn place(&self, number: u32) -> usize {
        let word = number as usize / 64;
        let smaller = self.bits[word] & ((1 << (number % 64)) - 1);
        (self.before[word] + smaller.count_ones()) as usize
    }

    /// The members in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.bits.iter().zip((0_u32..).step_by(64)).flat_map(|(&word, first)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
        })
    }
}

/// Union-find over places; the representative is the smallest of its set.
#[derive(Debug)]
pub(super) struct Sets {
    parents: Vec<u32>,
}

impl Sets {
    /// So many places, each alone.
    pub(super) fn new(count: usize) -> Self {
        Self { parents: (0_u32..).take(count).collect() }
    }

    /// The smallest place of the set that this one is in.
    pub(super) fn find(&mut self, place: usize) -> usize {
        let mut at = place;
        while self.parents[at] as usize != at {
            let grandparent = self.parents[self.parents[at] as usize];
            self.parents[at] = grandparent;
            at = grandparent as usize;
        }
        at
    }

    /// Makes one set of two.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.find(one), self.find(other));
        #[expect(clippy::cast_possible_truncation, reason = "places are numbers of documents")]
        let smaller = one.min(other) as u32;
        self.parents[one.max(other)] = smaller;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_places() {
        let mut members = Members::default();
        let numbers = [0, 3, 63, 64, 200, 1_000];
        numbers.iter().rev().for_each(|&number| members.insert(number));
        members.insert(3);
        members.seal();
        assert_eq!(members.iter().collect::<Vec<_>>(), numbers);
        assert_eq!(numbers.map(|number| members.place(number)), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn sets_join_under_their_smallest() {
        let mut sets = Sets::new(6);
        for (one, other) in [(5, 4), (1, 2), (2, 5), (1, 4)] {
            sets.join(one, other);
        }
        assert_eq!((0..6).map(|it| sets.find(it)).collect::<Vec<_>>(), [0, 1, 1, 3, 1, 1]);
    }
}
