use crate::kernel::{Crew, HeadShape, InstructionSet, Isa, Team};

use super::*;

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

fn assert_close(found: &[f32], exact: &[f64]) {
    assert_eq!(found.len(), exact.len());
    for (found, exact) in found.iter().zip(exact) {
        let error = (f64::from(*found) - exact).abs();
        assert!(error <= 4e-7 * exact.abs().max(1.0), "{found} is not {exact}");
    }
}

fn norm(numbers: &[f32], weight: &[f32], epsilon: f64) -> Vec<f64> {
    let squares: f64 = numbers.iter().map(|number| f64::from(*number).powi(2)).sum();
    let scale = 1.0 / (squares / numbers.len() as f64 + epsilon).sqrt();
    numbers.iter().zip(weight).map(|(n, w)| f64::from(*n) * scale * f64::from(*w)).collect()
}

const WIDTHS: [usize; 9] = [1, 2, 15, 16, 17, 63, 80, 576, 1_000];

#[test]
fn rows_are_normed_as_the_formula_says() {
    everywhere(|crew| {
        for width in WIDTHS {
            let (row, weight) = (numbers(width, 1), numbers(width, 3));
            let norm_of = Norm { weight: &weight, epsilon: 1e-5 };
            let mut output = vec![0.0; width];
            norm_of.row(crew.isa, &row, &mut output);
            assert_close(&output, &norm(&row, &weight, 1e-5_f32.into()));
        }
    });
}

#[test]
fn gates_are_the_formula_s_at_every_length() {
    everywhere(|crew| {
        for length in WIDTHS.into_iter().chain([5_000]) {
            let up = numbers(length, 5);
            let start: Vec<f32> = numbers(length, 4).iter().map(|number| number * 8.0).collect();
            let mut gates = vec![0.0; length];
            gate(crew.isa, &start, &up, &mut gates);
            let exact: Vec<f64> = start
                .iter()
                .zip(&up)
                .map(|(gate, up)| {
                    let gate = f64::from(*gate);
                    gate / (1.0 + (-gate).exp()) * f64::from(*up)
                })
                .collect();
            for (found, exact) in gates.iter().zip(exact) {
                let error = (f64::from(*found) - exact).abs();
                assert!(error <= 1e-6 * exact.abs() + 1e-30, "{found} is not {exact}");
            }
        }
        let mut extreme = [7.0; 3];
        gate(crew.isa, &[200.0, -200.0, 0.0], &[1.0, 1.0, 1.0], &mut extreme);
        assert_eq!(extreme[0], 200.0);
        assert!(extreme[1].abs() < 1e-30 && extreme[2] == 0.0, "{extreme:?}");
    });
}

#[test]
fn heads_get_bias_norm_and_turn_in_this_order() {
    // Less than a vector and more; whole vectors; both, as many as a half and none.
    for head_dim in [2, 24, 64, 80, 128] {
        check_heads(head_dim);
    }
}

fn check_heads(head_dim: usize) {
    let (rows, shape) = (7, HeadShape { layers: 1, heads: 4, kv_heads: 2, head_dim });
    let half = head_dim / 2;
    let (width, kv) = (shape.query_width(), shape.kv_width());
    let (query_bias, key_bias, value_bias) = (numbers(width, 1), numbers(kv, 2), numbers(kv, 3));
    let (query_norm, key_norm) = (numbers(head_dim, 4), numbers(head_dim, 5));
    let positions: Vec<usize> = (0..rows).map(|row| row * 5 % 9).collect();
    let turns: Vec<(f32, f32)> = (0..9 * half).map(|place| (place as f32).sin_cos()).collect();
    let (queries, keys, values) =
        (numbers(rows * width, 6), numbers(rows * kv, 7), numbers(rows * kv, 8));
    let exact = |all: &[f32], bias: &[f32], weight: &[f32], pairs: RopePairs| -> Vec<f64> {
        let mut exact = Vec::new();
        for (row, numbers) in all.chunks(bias.len()).enumerate() {
            let sums: Vec<f32> = numbers.iter().zip(bias).map(|(n, b)| n + b).collect();
            for head in sums.chunks(head_dim) {
                let mut head = norm(head, weight, 1e-5_f32.into());
                for pair in 0..half {
                    let (cosine, sine) = turns[positions[row] * half + pair];
                    let (left, right) = match pairs {
                        RopePairs::Neighbours => (2 * pair, 2 * pair + 1),
                        RopePairs::Halves => (pair, pair + half),
                    };
                    let (cosine, sine) = (f64::from(cosine), f64::from(sine));
                    (head[left], head[right]) = (
                        head[left] * cosine - head[right] * sine,
                        head[left] * sine + head[right] * cosine,
                    );
                }
                exact.extend(head);
            }
        }
        exact
    };
    everywhere(|crew| {
        for pairs in [RopePairs::Neighbours, RopePairs::Halves] {
            let preparation = HeadPreparation {
                shape,
                query_bias: &query_bias,
                key_bias: &key_bias,
                value_bias: &value_bias,
                query_norm: &query_norm,
                key_norm: &key_norm,
                norm_epsilon: 1e-5,
                positions: &positions,
                turns: &Turns::new(pairs, head_dim, turns.iter().copied()),
            };
            let (mut q, mut k, mut v) = (queries.clone(), keys.clone(), values.clone());
            preparation.run(crew, HeadRows { queries: &mut q, keys: &mut k, values: &mut v });
            let (exact_q, exact_k) = (
                exact(&queries, &query_bias, &query_norm, pairs),
                exact(&keys, &key_bias, &key_norm, pairs),
            );
            for (found, exact) in q.iter().zip(exact_q).chain(k.iter().zip(exact_k)) {
                assert!((f64::from(*found) - exact).abs() < 1e-5, "{found} is not {exact}");
            }
            for (place, (found, value)) in v.iter().zip(&values).enumerate() {
                assert_eq!(*found, value + value_bias[place % kv]);
            }
        }
    });
}
