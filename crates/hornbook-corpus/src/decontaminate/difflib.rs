//! Matching blocks of two sequences, exactly as Python's `difflib.SequenceMatcher(None, a, b, autojunk=False)`.
//!
//! The longest block comes first; of equally long ones the one that begins earliest in `a`, of those the one that begins
//! earliest in `b`. What lies before and after it is matched in the same way, and blocks
//! that touch in both sequences become one.

use std::collections::HashMap;

/// Equal stretches: `a[a..a + len] == b[b..b + len]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    /// Where it begins in the first sequence.
    pub(super) a: usize,
    /// Where it begins in the second.
    pub(super) b: usize,
    /// Its length; never 0.
    pub(super) len: usize,
}

/// Finds the blocks. After `pairs_max` pairs of equal elements have been looked at, no further
/// stretch is begun, and the blocks found so far are all.
pub(super) fn matching_blocks(a: &[char], b: &[char], pairs_max: u64) -> Vec<Block> {
    let mut matcher = Matcher::new(a, b, pairs_max);
    let mut blocks = Vec::new();
    let mut stretches = vec![(0, a.len(), 0, b.len())];
    while let Some((a_lo, a_hi, b_lo, b_hi)) = stretches.pop() {
        let Some(block) = matcher.longest(a_lo, a_hi, b_lo, b_hi) else { continue };
        blocks.push(block);
        if a_lo < block.a && b_lo < block.b {
            stretches.push((a_lo, block.a, b_lo, block.b));
        }
        let (a_end, b_end) = (block.a + block.len, block.b + block.len);
        if a_end < a_hi && b_end < b_hi {
            stretches.push((a_end, a_hi, b_end, b_hi));
        }
    }
    blocks.sort_unstable();
    join(&blocks)
}

fn join(blocks: &[Block]) -> Vec<Block> {
    let mut joined: Vec<Block> = Vec::new();
    for &block in blocks {
        match joined.last_mut() {
            Some(last) if last.a + last.len == block.a && last.b + last.len == block.b => {
                last.len += block.len;
            }
            _ => joined.push(block),
        }
    }
    joined
}

struct Matcher<'a> {
    a: &'a [char],
    /// Where each element stands in the second sequence.
    places: HashMap<char, Vec<u32>>,
    /// At `j + 1`: length of the block that ends with the row's element and `b[j]`.
    ends: Vec<u32>,
    /// The same for the row before.
    ends_before: Vec<u32>,
    pairs_left: u64,
}

impl<'a> Matcher<'a> {
    fn new(a: &'a [char], b: &[char], pairs_max: u64) -> Self {
        let mut places: HashMap<char, Vec<u32>> = HashMap::new();
        for (at, &element) in b.iter().enumerate() {
            places.entry(element).or_default().push(at as u32);
        }
        let zeros = vec![0; b.len() + 1];
        Self { a, places, ends: zeros.clone(), ends_before: zeros, pairs_left: pairs_max }
    }

    fn longest(&mut self, a_lo: usize, a_hi: usize, b_lo: usize, b_hi: usize) -> Option<Block> {
        let mut best = Block { a: a_lo, b: b_lo, len: 0 };
        let mut row_before: &[u32] = &[];
        for i in a_lo..a_hi {
            let all = self.places.get(&self.a[i]).map_or(&[][..], Vec::as_slice);
            let from = all.partition_point(|&at| (at as usize) < b_lo);
            let to = all.partition_point(|&at| (at as usize) < b_hi);
            let row = &all[from..to];
            if self.pairs_left < row.len() as u64 {
                self.pairs_left = 0;
                break;
            }
            self.pairs_left -= row.len() as u64;
            for &place in row {
                let j = place as usize;
                let len = self.ends_before[j] + 1;
                self.ends[j + 1] = len;
                if len as usize > best.len {
                    let len = len as usize;
                    best = Block { a: i + 1 - len, b: j + 1 - len, len };
                }
            }
            for &place in row_before {
                self.ends_before[place as usize + 1] = 0;
            }
            std::mem::swap(&mut self.ends, &mut self.ends_before);
            row_before = row;
        }
        for &place in row_before {
            self.ends_before[place as usize + 1] = 0;
        }
        (best.len > 0).then_some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(a: &str, b: &str, pairs_max: u64) -> Vec<(usize, usize, usize)> {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        let blocks = matching_blocks(&a, &b, pairs_max);
        blocks.iter().map(|block| (block.a, block.b, block.len)).collect()
    }

    #[test]
    fn ties_go_to_the_first() {
        assert_eq!(blocks("abxcd", "abcd", u64::MAX), [(0, 0, 2), (3, 2, 2)]);
        assert_eq!(blocks(" abcd", "abcd abcd", u64::MAX), [(0, 4, 5)]);
        assert_eq!(blocks("abab", "ab", u64::MAX), [(0, 0, 2)]);
        assert_eq!(blocks("", "ab", u64::MAX), []);
    }

    #[test]
    fn work_is_bounded() {
        let same = "a".repeat(2_000);
        assert_eq!(blocks(&same, &same, u64::MAX), [(0, 0, 2_000)]);
        let some = blocks(&same, &same, 1_000_000);
        assert_eq!(some, [(0, 0, 500)]);
    }
}
