use super::*;
use crate::kernel::Isa;

fn sampling(temperature: f32, top_k: u32, top_p: f32, penalty: f32) -> Sampling {
    Sampling { temperature, top_k, top_p, repetition_penalty: penalty, ..Sampling::default() }
}

fn sampler(sampling: &Sampling, seed: u64, vocabulary: usize) -> Sampler {
    let isa = Isa::detect();
    let (prompt, ends) = (&[][..], &[][..]);
    Sampler::new(SamplerStart { sampling, seed, vocabulary, prompt, ends, logprobs: None, isa })
}

/// How often each token is drawn first, over the seeds from 0.
fn counts(sampling: &Sampling, logits: &[f32], draws: u64) -> Vec<f64> {
    let mut counts = vec![0.0; logits.len()];
    for seed in 0..draws {
        let mut sampler = sampler(sampling, seed, logits.len());
        let drawn = sampler.draw(&mut logits.to_vec()).expect("finite logits");
        counts[drawn.token as usize] += 1.0;
    }
    counts
}

#[test]
fn greedy_takes_the_first_of_the_highest() {
    let mut sampler = sampler(&sampling(0.0, 50, 0.95, 1.0), 1, 5);
    let drawn = sampler.draw(&mut [0.0, 3.0, 1.0, 3.0, f32::NAN]).expect("finite logits");
    assert_eq!(drawn, Drawn { token: 1, logprobs: None });
    assert_eq!(sampler.draw(&mut [f32::NAN, f32::NEG_INFINITY, f32::INFINITY]), Err(NoToken));
    assert_eq!(sampler.draw(&mut []), Err(NoToken));
}

/// Of equals the lowest token, though they stand in different blocks, and whatever the seed.
#[test]
fn what_takes_the_likeliest_takes_the_first_of_equals() {
    let mut logits = vec![0.0_f32; 1_000];
    for token in [900, 131, 130, 132] {
        logits[token] = 1.0;
    }
    for settings in [
        sampling(0.0, 0, 1.0, 1.0),
        sampling(5.0, 1, 1.0, 1.0),
        sampling(5.0, 0, 1e-9, 1.0),
        sampling(5.0, 50, 0.0, 1.0),
        sampling(5.0, 0, 0.0, 1.0),
    ] {
        assert_eq!(counts(&settings, &logits, 100)[130], 100.0, "{settings:?}");
    }
    assert_eq!(sampler(&sampling(1.0, 0, 0.9, 1.0), 1, 5).draw(&mut [f32::NEG_INFINITY; 5]), {
        Err(NoToken)
    });
}

#[test]
fn what_is_not_finite_is_never_drawn() {
    let mut logits = [f32::INFINITY, 1.0, f32::NAN, 2.0, f32::NEG_INFINITY];
    for (temperature, top_k, top_p) in [(0.0, 0, 1.0), (5.0, 0, 1.0), (5.0, 4, 1.0), (5.0, 0, 0.9)]
    {
        for seed in 0..50 {
            let mut sampler = sampler(&sampling(temperature, top_k, top_p, 1.0), seed, 5);
            let token = sampler.draw(&mut logits).expect("two finite logits").token;
            assert!([1, 3].contains(&token), "{token}");
        }
    }
}

/// Pearson's test against the softmax, at temperatures below and above 1.
#[test]
fn draws_follow_the_softmax() {
    let logits: Vec<f32> = (0..20).map(|token| (token * 7 % 20) as f32 * 0.15).collect();
    for temperature in [0.7_f32, 1.0, 2.5] {
        let weights: Vec<f64> =
            logits.iter().map(|logit| f64::from(logit / temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        let draws = 40_000;
        for settings in [sampling(temperature, 0, 1.0, 1.0), sampling(temperature, 19, 1.0, 1.0)] {
            let found = counts(&settings, &logits, draws);
            // With top-k 19 the least likely token, 0, has no share.
            let gone = if settings.top_k == 19 { weights[0] } else { 0.0 };
            let chi_square: f64 = found
                .iter()
                .zip(&weights)
                .skip(usize::from(gone > 0.0))
                .map(|(count, weight)| {
                    let expected = draws as f64 * weight / (total - gone);
                    (count - expected).powi(2) / expected
                })
                .sum();
            // 99.9 % of what chance gives with 19 degrees of freedom; the seeds are fixed.
            assert!(chi_square < 43.8, "{temperature}: {chi_square}");
            assert!(gone == 0.0 || found[0] == 0.0);
        }
    }
}

/// Pearson's test of one sequence's draws, one after another, against what the cuts leave.
#[test]
fn draws_follow_what_is_left_after_cuts() {
    let logits: Vec<f32> = (0..300).map(|token| (token * 7 % 300) as f32 * -0.08).collect();
    let mut likeliest: Vec<usize> = (0..300).collect();
    likeliest.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let weights: Vec<f64> = likeliest.iter().map(|at| f64::from(logits[*at]).exp()).collect();
    let total: f64 = weights.iter().sum();
    // With weights falling by e^-0.08, 0.9 of them all are in the first 29, 0.9 of the first 40 in
    // the first 25, and a fifth of the first one's weight is reached by the first 21.
    for (settings, kept) in [
        (sampling(1.0, 0, 0.9, 1.0), 29),
        (sampling(1.0, 12, 1.0, 1.0), 12),
        (sampling(1.0, 40, 0.9, 1.0), 25),
        (Sampling { min_p: 0.2, ..sampling(1.0, 0, 1.0, 1.0) }, 21),
    ] {
        let mut sampler = sampler(&settings, 5, 300);
        let draws = 60_000;
        let mut found = vec![0.0; 300];
        for _ in 0..draws {
            let drawn = sampler.draw(&mut logits.clone()).expect("finite logits");
            found[drawn.token as usize] += 1.0;
        }
        let left: f64 = weights[..kept].iter().sum();
        assert!(left < total);
        let chi_square: f64 = (0..kept)
            .map(|place| {
                let expected = f64::from(draws) * weights[place] / left;
                (found[likeliest[place]] - expected).powi(2) / expected
            })
            .sum();
        // Four standard deviations above the mean of the distribution; the seed is fixed.
        let freedom = (kept - 1) as f64;
        assert!(chi_square < freedom + 4.0 * (2.0 * freedom).sqrt(), "{settings:?}: {chi_square}");
        let cut: f64 = likeliest[kept..].iter().map(|token| found[*token]).sum();
        assert_eq!(cut, 0.0, "{settings:?}");
    }
}

#[test]
fn top_k_top_p_and_min_p_cut() {
    let logits = [1.0, 0.5, 2.0, -1.0];
    let only = |sampling: Sampling| {
        let counts = counts(&sampling, &logits, 500);
        (0..4).filter(|token| counts[*token] > 0.0).collect::<Vec<_>>()
    };
    assert_eq!(only(sampling(5.0, 2, 1.0, 1.0)), [0, 2]);
    assert_eq!(only(sampling(5.0, 1, 1.0, 1.0)), [2]);
    // At temperature 1 the probabilities are 0.60, 0.22, 0.13 and 0.03.
    assert_eq!(only(sampling(1.0, 0, 0.5, 1.0)), [2]);
    assert_eq!(only(sampling(1.0, 0, 0.75, 1.0)), [0, 2]);
    assert_eq!(only(sampling(1.0, 3, 0.75, 1.0)), [0, 2]);
    let min_p = |min_p| Sampling { min_p, ..sampling(1.0, 0, 1.0, 1.0) };
    assert_eq!(only(min_p(0.21)), [0, 1, 2], "e^-1.5 is 0.223");
    assert_eq!(only(min_p(0.3)), [0, 2], "e^-1 is 0.368");
    assert_eq!(only(min_p(1.0)), [2]);
}

#[test]
fn same_seed_draws_the_same() {
    let draw = |seed| {
        let mut sampler = sampler(&sampling(1.5, 50, 0.95, 1.1), seed, 100);
        (0..50)
            .map(|step| {
                let mut logits: Vec<f32> =
                    (0..100).map(|token| ((token * 7 + step) % 13) as f32 * 0.3).collect();
                sampler.draw(&mut logits).expect("finite logits").token
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

/// A greedy draw takes its number too, so that the next one does not depend on what came before.
#[test]
fn every_draw_takes_one_random_number() {
    let flat = vec![0.0_f32; 1_000];
    let drawn = |first: &[f32]| {
        let mut sampler = sampler(&sampling(1.0, 0, 1.0, 1.0), 9, 1_000);
        sampler.draw(&mut first.to_vec()).expect("finite logits");
        sampler.draw(&mut flat.clone()).expect("finite logits").token
    };
    let mut peaked = flat.clone();
    peaked[17] = 80.0;
    assert_eq!(drawn(&flat), drawn(&peaked));
    let mut random = Random::new(9);
    random.unit();
    assert_eq!(drawn(&flat), (random.unit() * 1_000.0) as u32);
    let mut greedy = sampler(&sampling(0.0, 0, 1.0, 1.0), 9, 1_000);
    greedy.draw(&mut flat.clone()).expect("finite logits");
    assert_eq!(greedy.random.unit().to_bits(), {
        let mut random = Random::new(9);
        random.unit();
        random.unit().to_bits()
    });
}

#[test]
fn logprobs_are_the_models_own_whatever_is_done_to_its_logits() {
    let settings = Sampling {
        top_k: 1,
        frequency_penalty: 1.0,
        min_tokens: 9,
        logit_bias: [(3, -100.0)].into(),
        ..sampling(0.1, 1, 0.5, 2.0)
    };
    let mut sampler = Sampler::new(SamplerStart {
        sampling: &settings,
        seed: 1,
        vocabulary: 5,
        prompt: &[0],
        ends: &[4],
        logprobs: Some(3),
        isa: Isa::detect(),
    });
    let logits = [2.0_f32, 1.5, 0.0, 2.5, 3.0];
    let total = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
    // First 1 is drawn; then it has its own penalties, as 0 has the prompt's.
    for expected in [1, 0] {
        let drawn = sampler.draw(&mut logits.clone()).expect("finite logits");
        assert_eq!(drawn.token, expected);
        let logprobs = drawn.logprobs.expect("asked for");
        let logit = logits[expected as usize];
        assert!((logprobs.drawn - (logit - total)).abs() < 1e-6, "{logprobs:?}");
        let tokens: Vec<u32> = logprobs.top.iter().map(|(token, _)| *token).collect();
        assert_eq!(tokens, [4, 3, 0], "the alternatives are the model's, too");
        for (token, logprob) in logprobs.top {
            assert!((logprob - (logits[token as usize] - total)).abs() < 1e-6);
        }
    }
    assert_eq!(sampler.draw(&mut [f32::NAN; 5]), Err(NoToken));
}

#[test]
fn a_bias_needs_a_token_that_there_is() {
    let biased = |token| Sampling { logit_bias: [(token, 1.0)].into(), ..Sampling::default() };
    assert_eq!(check_vocabulary(&biased(99), 100), Ok(()));
    assert!(check_vocabulary(&biased(100), 100).is_err_and(|error| error.contains("token 100")));
    assert_eq!(check_vocabulary(&Sampling::default(), 100), Ok(()));
}
