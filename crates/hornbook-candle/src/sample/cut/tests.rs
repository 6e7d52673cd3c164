use proptest::prelude::*;

use super::*;
use crate::kernel::Isa;

/// The definition, told by sorting the whole vocabulary: what may be drawn, in the order in which
/// the random number goes through it, with weights.
struct Sorted {
    kept: Vec<(u32, f64)>,
    /// A sum came so near to a bound that the order of additions decides.
    is_close: bool,
}

fn sorted(sampling: &Sampling, logits: &[f32]) -> Sorted {
    let mut tokens: Vec<u32> =
        (0..logits.len() as u32).filter(|token| logits[*token as usize].is_finite()).collect();
    let of = |token: &u32| logits[*token as usize];
    tokens.sort_by(|a, b| of(b).partial_cmp(&of(a)).expect("finite"));
    let top = of(&tokens[0]);
    let scale = Scale { top, sharpness: sampling.temperature.recip() };
    let cuts_k = sampling.top_k > 0 && (sampling.top_k as usize) < logits.len();
    if cuts_k {
        tokens.truncate(sampling.top_k as usize);
    }
    let weigh = |token: u32| (token, f64::from(weight(of(&token), scale)));
    let mut kept: Vec<(u32, f64)> = tokens.into_iter().map(weigh).collect();
    let mut is_close = false;
    if sampling.top_p < 1.0 {
        let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
        let enough = total * f64::from(sampling.top_p);
        let mut sum = 0.0;
        let mut count = 0;
        while sum < enough && count < kept.len() {
            sum += kept[count].1;
            is_close |= (sum - enough).abs() < 1e-12 * total;
            count += 1;
        }
        kept.truncate(count);
    }
    kept.retain(|(_, weight)| *weight >= f64::from(sampling.min_p));
    if !cuts_k && sampling.top_p >= 1.0 && sampling.min_p <= 0.0 {
        kept.sort_by_key(|(token, _)| *token);
    }
    Sorted { kept, is_close }
}

impl Sorted {
    /// The token that `unit` stands for; none where rounding decides.
    fn choose(&self, unit: f64) -> Option<u32> {
        let total: f64 = self.kept.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        for (token, weight) in &self.kept {
            sum += weight;
            if (sum - unit * total).abs() < 1e-12 * total {
                return None;
            }
            if unit * total < sum {
                return Some(*token);
            }
        }
        None
    }
}

/// Peaked, flat and tied rows, of lengths around whole blocks.
fn logits() -> impl Strategy<Value = Vec<f32>> {
    let lengths = prop_oneof![1_usize..300, 1_000_usize..1_100, Just(GUESSES[1] * BLOCK * 2)];
    let spread = prop_oneof![Just(0.0_f32), 0.01_f32..20.0];
    (lengths, spread, any::<u64>(), any::<bool>()).prop_map(|(length, spread, seed, is_tied)| {
        let mut random = crate::sample::random::Random::new(seed);
        let mut logits: Vec<f32> = (0..length)
            .map(|_| {
                // The sum of a few even numbers is bell-shaped, as logits are.
                let bell: f64 = (0..4).map(|_| random.unit() - 0.5).sum();
                let logit = bell as f32 * spread;
                if is_tied { (logit * 2.0).round() / 2.0 } else { logit }
            })
            .collect();
        for bad in [f32::NAN, f32::NEG_INFINITY, f32::INFINITY] {
            let place = (random.unit() * length as f64 * 2.0) as usize;
            if place > 0 && place < length {
                logits[place] = bad;
            }
        }
        if !logits.iter().any(|logit| logit.is_finite()) {
            logits[0] = 0.0;
        }
        logits
    })
}

fn settings() -> impl Strategy<Value = Sampling> {
    let temperature = prop_oneof![Just(1.0_f32), 0.05_f32..5.0];
    let top_k = prop_oneof![Just(0_u32), Just(50), 2_u32..40, 200_u32..2_000];
    let top_p = prop_oneof![Just(1.0_f32), Just(0.95), 0.001_f32..0.999, Just(0.999_999_94)];
    let min_p = prop_oneof![Just(0.0_f32), Just(1.0), 0.0001_f32..0.5];
    (temperature, top_k, top_p, min_p).prop_map(|(temperature, top_k, top_p, min_p)| Sampling {
        temperature,
        top_k,
        top_p,
        min_p,
        ..Sampling::default()
    })
}

proptest! {
    #[test]
    fn draws_what_sorting_everything_would_draw(
        mut logits in logits(),
        sampling in settings(),
        unit in 0.0_f64..1.0,
    ) {
        let expected = sorted(&sampling, &logits);
        prop_assume!(!expected.is_close);
        for isa in [Isa::detect(), Isa::new(crate::InstructionSet::Portable).expect("plain Rust")] {
            let mut row = Row::new(isa);
            let top = row.read(&mut logits).expect("a finite logit");
            let mut cut = Cut::new(&sampling);
            let scale = Scale { top, sharpness: cut.sharpness };
            if let Some(kept) = cut.keep(&mut row, scale, &logits) {
                let found: Vec<(u32, f64)> = cut.candidates[..kept]
                    .iter()
                    .zip(&cut.weights)
                    .map(|(candidate, weight)| (candidate.token(), f64::from(*weight)))
                    .collect();
                prop_assert_eq!(&found, &expected.kept);
            }
            for unit in [unit, 0.0, 1.0 - f64::EPSILON / 2.0, unit * unit * unit] {
                if let Some(token) = expected.choose(unit) {
                    prop_assert_eq!(cut.choose(&mut row, top, &logits, unit), token);
                }
            }
        }
    }
}

/// The guesses must fail here, and the bound must then find all that is needed.
#[test]
fn flat_rows_keep_their_tail_without_top_k() {
    let mut logits = vec![0.0_f32; 2 * GUESSES[1] * BLOCK];
    logits[3] = 1.0;
    for top_p in [0.5, 0.9, 0.999] {
        let sampling = Sampling { temperature: 1.0, top_k: 0, top_p, ..Sampling::default() };
        let mut row = Row::new(Isa::detect());
        let top = row.read(&mut logits).expect("finite logits");
        let mut cut = Cut::new(&sampling);
        let kept = cut.keep(&mut row, Scale { top, sharpness: 1.0 }, &logits);
        let e = std::f64::consts::E;
        let total = e + (logits.len() - 1) as f64;
        let expected = (total * f64::from(top_p) - e).ceil() as usize + 1;
        assert_eq!(kept, Some(expected));
        // Memory that so many candidates took is not kept.
        cut.choose(&mut row, top, &logits, 0.5);
        assert!(cut.candidates.capacity() <= CANDIDATES_KEPT);
    }
}

#[test]
fn tiny_temperatures_are_nearly_greedy() {
    let mut logits = vec![1.0_f32, 1.0 + f32::EPSILON, -3.0];
    for temperature in [f32::from_bits(1), 1e-30, 1e-9] {
        let sampling = Sampling { temperature, ..Sampling::default() };
        let mut row = Row::new(Isa::detect());
        let top = row.read(&mut logits).expect("finite logits");
        assert_eq!(Cut::new(&sampling).choose(&mut row, top, &logits, 0.999), 1);
    }
}
