use proptest::prelude::*;

use super::*;
use crate::kernel::{Crew, InstructionSet, Isa, Team};

fn everywhere(check: impl Fn(Crew<'_>)) {
    let team = Team::new(3).expect("threads start");
    for isa in InstructionSet::ALL.into_iter().filter_map(Isa::new) {
        eprintln!("on {}", isa.set());
        check(Crew { team: &team, isa });
    }
}

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 37 + seed * 11) % 101) as f32 / 20.0 - 2.5).collect()
}

fn assert_close(found: &[f32], exact: &[f64], tolerance: f64) {
    assert_eq!(found.len(), exact.len());
    for (found, exact) in found.iter().zip(exact) {
        let error = (f64::from(*found) - exact).abs();
        assert!(error <= tolerance * exact.abs().max(1.0), "{found} is not {exact}");
    }
}

/// The error function by its series, which converges for all that is asked here.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

#[test]
fn gates_are_the_formula_s_at_every_width() {
    everywhere(|crew| {
        for width in [1, 15, 16, 17, 40, 1_000] {
            let bias = numbers(width, 4);
            let start: Vec<f32> = numbers(5 * width, 3).iter().map(|number| number * 3.0).collect();
            let mut rows = start.clone();
            add_and_gelu(crew, &mut rows, &bias);
            let exact: Vec<f64> = start
                .iter()
                .zip(bias.iter().cycle())
                .map(|(number, bias)| {
                    let x = f64::from(number + bias);
                    x / 2.0 * (1.0 + erf(x / 2.0_f64.sqrt()))
                })
                .collect();
            assert_close(&rows, &exact, 5e-7);
        }
        let mut row = [0.0, -0.0, 100.0, -100.0, f32::MAX, f32::MIN, f32::NAN, f32::NEG_INFINITY];
        add_and_gelu(crew, &mut row, &[0.0; 8]);
        assert_close(&row[..4], &[0.0, 0.0, 100.0, 0.0], 1e-30);
        assert_eq!(row[4..6], [f32::MAX, 0.0]);
        assert!(row[6].is_nan(), "what is no number stays so");
    });
}

#[test]
fn sums_are_normed_as_the_formula_says() {
    everywhere(|crew| {
        for width in [1, 2, 15, 16, 17, 384, 1_000] {
            let (start, added) = (numbers(7 * width, 1), numbers(7 * width, 2));
            let (bias, weight, shift) = (numbers(width, 3), numbers(width, 5), numbers(width, 6));
            let norm = LayerNorm { weight: &weight, bias: &shift, epsilon: 1e-3 };
            let mut rows = start.clone();
            norm.run(crew, &mut rows, &added, &bias);
            let mut bare = start.clone();
            norm.run(crew, &mut bare, &[], &[]);
            for row in 0..7 {
                let range = row * width..(row + 1) * width;
                let formula = |sums: Vec<f64>| -> Vec<f64> {
                    let mean = sums.iter().sum::<f64>() / width as f64;
                    let squares = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>();
                    let spread = (squares / width as f64 + f64::from(1e-3_f32)).sqrt();
                    let places = sums.iter().zip(&weight).zip(&shift);
                    places
                        .map(|((sum, weight), shift)| {
                            (sum - mean) / spread * f64::from(*weight) + f64::from(*shift)
                        })
                        .collect()
                };
                let sum = |place: usize| {
                    let sums = start[range.start + place] + added[range.start + place];
                    f64::from(sums + bias[place])
                };
                assert_close(&rows[range.clone()], &formula((0..width).map(sum).collect()), 2e-6);
                let single = start[range.clone()].iter().copied().map(f64::from).collect();
                assert_close(&bare[range.clone()], &formula(single), 2e-6);
                let mut alone = start[range.clone()].to_vec();
                norm.run(crew, &mut alone, &added[range.clone()], &bias);
                assert_eq!(alone, rows[range], "bit for bit");
            }
        }
    });
}

#[test]
fn a_bias_is_added_to_every_row() {
    everywhere(|crew| {
        let bias = numbers(19, 1);
        let mut rows = numbers(19 * 9, 2);
        let exact: Vec<f32> =
            rows.iter().zip(bias.iter().cycle()).map(|(row, bias)| row + bias).collect();
        add_to_rows(crew, &mut rows, &bias);
        assert_eq!(rows, exact);
    });
}

/// One token's result by the formula, in doubles.
fn exact(all: &TextHeads<'_>, text: &std::ops::Range<usize>, token: usize) -> Vec<f64> {
    let TextHeads { rows, heads, head_dim, .. } = *all;
    let number = |token: usize, which: usize, head: usize, index: usize| {
        f64::from(rows[((token * 3 + which) * heads + head) * head_dim + index])
    };
    let mut output = Vec::new();
    for head in 0..heads {
        let weights: Vec<f64> = text
            .clone()
            .map(|other| {
                let products =
                    (0..head_dim).map(|i| number(token, 0, head, i) * number(other, 1, head, i));
                (products.sum::<f64>() / (head_dim as f64).sqrt()).exp()
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        for index in 0..head_dim {
            let mixed =
                text.clone().zip(&weights).map(|(other, w)| w * number(other, 2, head, index));
            output.push(mixed.sum::<f64>() / sum);
        }
    }
    output
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn texts_attend_as_the_formula_says_and_alike_in_any_company(
        lengths in prop::collection::vec(1_usize..70, 1..5),
        heads in 1_usize..4,
        head_dim in prop::sample::select(vec![1_usize, 8, 15, 16, 32, 40]),
        seed in 0_usize..100,
    ) {
        let mut next = 0;
        let texts: Vec<_> = lengths.iter().map(|length| {
            next += length;
            next - length..next
        }).collect();
        let rows = numbers(next * 3 * heads * head_dim, seed);
        let all = TextHeads { rows: &rows, texts: &texts, heads, head_dim };
        let width = heads * head_dim;
        everywhere(|crew| {
            let mut output = vec![f32::NAN; next * width];
            attend_all(crew, all, &mut output);
            for text in &texts {
                for token in text.clone() {
                    let found = &output[token * width..][..width];
                    assert_close(found, &exact(&all, text, token), 2e-5);
                }
                let mut alone = vec![f32::NAN; text.len() * width];
                let own_range = 0..text.len();
                let own = &rows[text.start * 3 * width..text.end * 3 * width];
                let texts = std::slice::from_ref(&own_range);
                attend_all(crew, TextHeads { rows: own, texts, heads, head_dim }, &mut alone);
                assert_eq!(alone, output[text.start * width..text.end * width], "bit for bit");
            }
        });
    }
}
