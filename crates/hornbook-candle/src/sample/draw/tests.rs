use std::collections::BTreeMap;

use super::*;

fn sampling(temperature: f32, top_k: u32, top_p: f32, penalty: f32) -> Sampling {
    Sampling { temperature, top_k, top_p, repetition_penalty: penalty, ..Sampling::default() }
}

/// How often each token is drawn first, over many seeds.
fn shares(sampling: &Sampling, logits: &[f32], draws: u64) -> BTreeMap<u32, f64> {
    let mut counts = BTreeMap::new();
    for seed in 0..draws {
        let mut sampler = Sampler::new(sampling, seed, logits.len(), &[], &[]);
        let token = sampler.draw(&mut logits.to_vec()).expect("finite logits");
        *counts.entry(token).or_insert(0.0) += 1.0 / draws as f64;
    }
    counts
}

#[test]
fn greedy_takes_the_first_of_the_highest() {
    let mut sampler = Sampler::new(&sampling(0.0, 50, 0.95, 1.0), 1, 5, &[], &[]);
    assert_eq!(sampler.draw(&mut [0.0, 3.0, 1.0, 3.0, f32::NAN]), Ok(1));
    assert_eq!(sampler.draw(&mut [f32::NAN, f32::NEG_INFINITY]), Err(NoToken));
}

#[test]
fn penalty_divides_above_zero_multiplies_below_and_spares_ends() {
    let prompt = [0, 1, 2, 2];
    let mut sampler = Sampler::new(&sampling(0.0, 0, 1.0, 2.0), 1, 4, &prompt, &[2]);
    let mut logits = [4.0, -1.0, 3.0, 2.5];
    assert_eq!(sampler.draw(&mut logits), Ok(2), "4 / 2 is below the spared 3");
    assert_eq!(logits, [2.0, -2.0, 3.0, 2.5]);
    let mut logits = [4.0, -1.0, 1.0, 2.5];
    assert_eq!(sampler.draw(&mut logits), Ok(3), "not seen yet");
    let mut logits = [4.4, -1.0, 1.0, 2.5];
    assert_eq!(sampler.draw(&mut logits), Ok(0), "3 is penalised now");
    assert_eq!(logits[3], 1.25);
}

#[test]
fn draws_follow_the_softmax() {
    let logits = [1.0_f32, 0.0, 2.0, -1.0];
    let temperature = 0.7_f32;
    let weights: Vec<f64> =
        logits.iter().map(|logit| f64::from(*logit / temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    let found = shares(&sampling(temperature, 0, 1.0, 1.0), &logits, 20_000);
    for (token, weight) in (0..).zip(&weights) {
        let share = found.get(&token).copied().unwrap_or_default();
        assert!((share - weight / total).abs() < 0.015, "{token}: {share}");
    }
}

#[test]
fn top_k_and_top_p_cut() {
    let logits = [1.0, 0.5, 2.0, -1.0];
    let only = |sampling| shares(&sampling, &logits, 500).into_keys().collect::<Vec<_>>();
    assert_eq!(only(sampling(5.0, 2, 1.0, 1.0)), [0, 2]);
    assert_eq!(only(sampling(5.0, 1, 1.0, 1.0)), [2]);
    // At temperature 1 the probabilities are 0.57, 0.21, 0.18 (token 1: 0.13) and so on: the
    // likeliest alone has half, the first two have three quarters.
    assert_eq!(only(sampling(1.0, 0, 0.5, 1.0)), [2]);
    assert_eq!(only(sampling(1.0, 0, 0.75, 1.0)), [0, 2]);
    assert_eq!(only(sampling(1.0, 4, 0.75, 1.0)), [0, 2]);
}

#[test]
fn flat_distributions_keep_their_tail_without_top_k() {
    let logits = vec![0.0_f32; 4 * FIRST_CANDIDATES];
    let mut sampler = Sampler::new(&sampling(1.0, 0, 0.9, 1.0), 3, logits.len(), &[], &[]);
    sampler.collect(&logits).expect("finite logits");
    let expected = (logits.len() as f64 * 0.9).ceil() as usize;
    assert!(sampler.candidates.len().abs_diff(expected) <= 1, "{}", sampler.candidates.len());
}

#[test]
fn same_seed_draws_the_same() {
    let draw = |seed| {
        let mut sampler = Sampler::new(&sampling(1.5, 50, 0.95, 1.1), seed, 100, &[3], &[]);
        (0..50)
            .map(|step| {
                let mut logits: Vec<f32> =
                    (0..100).map(|token| ((token * 7 + step) % 13) as f32 * 0.3).collect();
                sampler.draw(&mut logits).expect("finite logits")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
