//! Shares as whole numbers of prompts.

/// Shares are compared in millionths of their sum.
const MILLIONTHS: f64 = 1_000_000.0;

/// The weights behind shares: millionths of their sum, at least one each.
pub(crate) fn weights(shares: &[f64]) -> Vec<u64> {
    let sum: f64 = shares.iter().sum();
    shares
        .iter()
        .map(|share| {
            let millionths = (share / sum * MILLIONTHS).round();
            if millionths.is_finite() && millionths >= 1.0 { millionths as u64 } else { 1 }
        })
        .collect()
}

/// How many of `total` prompts each line gets, by largest remainder; ties go to the earlier line.
///
/// Shares need not sum to 1. The result sums to `total` exactly and is the same everywhere:
/// shares become whole millionths first, the rest is integer arithmetic.
pub fn prompts_per_line(total: u64, shares: &[f64]) -> Vec<u64> {
    let weights = weights(shares);
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    if sum == 0 {
        return Vec::new();
    }
    let mut prompts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (line, &weight) in weights.iter().enumerate() {
        let quota = u128::from(total) * u128::from(weight);
        prompts.push((quota / sum) as u64);
        remainders.push((quota % sum, line));
    }
    let left = total - prompts.iter().sum::<u64>();
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, line) in remainders.into_iter().take(left as usize) {
        prompts[line] += 1;
    }
    prompts
}

#[cfg(test)]
mod tests {
    use super::prompts_per_line;
    use proptest::prelude::*;

    #[test]
    fn gives_the_largest_remainders_the_rest() {
        assert_eq!(prompts_per_line(1000, &[0.4, 0.3, 0.3]), [400, 300, 300]);
        assert_eq!(prompts_per_line(24, &[1.0; 8]), [3; 8]);
        assert_eq!(prompts_per_line(10, &[1.0, 1.0, 1.0]), [4, 3, 3]);
        assert_eq!(prompts_per_line(1, &[0.2, 0.5, 0.3]), [0, 1, 0]);
        assert_eq!(prompts_per_line(0, &[1.0, 2.0]), [0, 0]);
        assert!(prompts_per_line(5, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn sums_to_the_total_within_one_of_each_quota(
            total in 0u64..1_000_000_000,
            shares in prop::collection::vec(0.001f64..1000.0, 1..40),
        ) {
            let prompts = prompts_per_line(total, &shares);
            prop_assert_eq!(prompts.iter().sum::<u64>(), total);
            let sum: f64 = shares.iter().sum();
            for (count, share) in prompts.iter().zip(&shares) {
                let quota = total as f64 * share / sum;
                // One prompt of rounding, and what whole millionths can be off by.
                let slack = 1.0 + total as f64 * shares.len() as f64 * 2e-6;
                prop_assert!((*count as f64 - quota).abs() <= slack);
            }
        }
    }
}
