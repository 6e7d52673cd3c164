//! A token that may be drawn, as one number that sorts.

/// Logit and token in 64 bits: the larger number is the likelier token, and of equal logits the
/// lower token. One comparison of integers a step makes sorting several times faster than pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate(u64);

const SIGN: u32 = 1 << 31;

impl Candidate {
    /// `logit` is a number.
    pub(super) fn new(logit: f32, token: u32) -> Self {
        // Adding zero makes the two zeros one. Then integers sort as floats do, once negative
        // ones are turned round and all others lifted above them.
        let bits = (logit + 0.0).to_bits();
        let rank = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        Self(u64::from(rank) << 32 | u64::from(!token))
    }

    pub(super) fn token(self) -> u32 {
        !(self.0 as u32)
    }

    pub(super) fn logit(self) -> f32 {
        let rank = (self.0 >> 32) as u32;
        f32::from_bits(if rank & SIGN == 0 { !rank } else { rank ^ SIGN })
    }
}

/// Keeps the `count` likeliest, likeliest first.
pub(super) fn keep_likeliest(candidates: &mut Vec<Candidate>, count: usize) {
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, |left, right| right.cmp(left));
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(|left, right| right.cmp(left));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorts_as_logits_do_and_reads_back(
            left in prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL,
            right in prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL,
            tokens in any::<(u32, u32)>(),
        ) {
            let (a, b) = (Candidate::new(left, tokens.0), Candidate::new(right, tokens.1));
            prop_assert_eq!((a.logit(), a.token()), (left, tokens.0));
            let expected = left.partial_cmp(&right).expect("numbers");
            prop_assert_eq!(a.cmp(&b), expected.then(tokens.1.cmp(&tokens.0)));
        }
    }

    #[test]
    fn of_two_zeros_the_lower_token_is_first() {
        assert!(Candidate::new(-0.0, 3) > Candidate::new(0.0, 4));
        assert!(Candidate::new(0.0, 3) > Candidate::new(-0.0, 4));
    }

    #[test]
    fn keeps_the_likeliest_in_order() {
        let logits = [1.0, 3.0, 2.0, 3.0, -1.0];
        let mut candidates: Vec<Candidate> = logits
            .into_iter()
            .zip(0..)
            .map(|(logit, token)| Candidate::new(logit, token))
            .collect();
        keep_likeliest(&mut candidates, 3);
        let tokens: Vec<u32> = candidates.into_iter().map(Candidate::token).collect();
        assert_eq!(tokens, [1, 3, 2]);
    }
}
