//! One vector for a text out of one per token.

/// How a text's vector comes from its tokens' vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The mean over all tokens, marks included.
    Mean,
    /// The first token's, which is the mark `[CLS]`.
    First,
}

impl Pooling {
    /// Pools `[tokens, hidden]` to `[hidden]`; there is a token at least.
    pub(super) fn apply(self, tokens: &[f32], hidden: usize) -> Vec<f32> {
        match self {
            Self::First => tokens[..hidden].to_vec(),
            Self::Mean => {
                let mut sums = vec![0.0; hidden];
                for token in tokens.chunks_exact(hidden) {
                    sums.iter_mut().zip(token).for_each(|(sum, number)| *sum += number);
                }
                let count = (tokens.len() / hidden) as f32;
                sums.iter_mut().for_each(|sum| *sum /= count);
                sums
            }
        }
    }
}

/// Scales a vector to length 1; `None` when it is not finite.
///
/// A vector of zeros stays one, as sentence-transformers has it.
pub(super) fn normalised(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let squares: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
    if !squares.is_finite() {
        return None;
    }
    let length = squares.sqrt();
    if length > 0.0 {
        for number in &mut vector {
            *number = (f64::from(*number) / length) as f32;
        }
    }
    Some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_to_length_one_or_says_that_it_cannot() {
        assert_eq!(normalised(vec![3.0, 4.0]), Some(vec![0.6, 0.8]));
        let huge = 2.0_f32.powi(100);
        assert_eq!(normalised(vec![3.0 * huge, 4.0 * huge]), Some(vec![0.6, 0.8]));
        assert_eq!(normalised(vec![0.0, 0.0]), Some(vec![0.0, 0.0]));
        assert_eq!(normalised(vec![f32::NAN, 1.0]), None);
        assert_eq!(normalised(vec![f32::INFINITY, 1.0]), None);
    }
}
