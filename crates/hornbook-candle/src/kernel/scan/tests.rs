use proptest::prelude::*;

use super::*;

fn sets() -> impl Iterator<Item = Isa> {
    InstructionSet::ALL.into_iter().filter_map(Isa::new)
}

/// Logits as a model writes them, and now and then what it never should.
fn logits() -> impl Strategy<Value = Vec<f32>> {
    let logit = prop_oneof![
        20 => -30.0_f32..30.0,
        2 => Just(7.5_f32),
        1 => Just(f32::NAN),
        1 => Just(f32::NEG_INFINITY),
    ];
    prop::collection::vec(logit, 0..400)
}

proptest! {
    #[test]
    fn maxima_are_those_of_a_simple_loop(logits in logits()) {
        let expected: Vec<f32> = logits
            .chunks(BLOCK)
            .map(|block| block.iter().copied().fold(f32::NEG_INFINITY, f32::max))
            .collect();
        for isa in sets() {
            let mut found = vec![1.0; 3];
            block_maxima(isa, &logits, &mut found);
            prop_assert_eq!(&found, &expected, "{:?}", isa);
        }
    }

    #[test]
    fn every_instruction_set_sums_the_same_bits(logits in logits(), sharpness in 0.2_f32..100.0) {
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assume!(top.is_finite());
        let scale = Scale { top, sharpness };
        let mut plain = Vec::new();
        for isa in sets() {
            let mut found = vec![1.0; 3];
            block_weights(isa, &logits, scale, &mut found);
            if plain.is_empty() {
                plain.clone_from(&found);
            }
            prop_assert_eq!(&found, &plain, "{:?}", isa);
        }
        for (block, sum) in logits.chunks(BLOCK).zip(plain) {
            let weights = block.iter().map(|logit| f64::from(weight(*logit, scale)));
            let expected: f64 = weights.sum();
            prop_assert!((sum - expected).abs() <= 1e-13 * expected, "{} {}", sum, expected);
        }
    }
}

#[test]
fn weights_are_exponentials() {
    let mut power = 0.0_f32;
    while power >= -87.0 {
        let expected = f64::from(power).exp();
        let found = f64::from(exp(power));
        assert!((found / expected - 1.0).abs() < 2.5e-7, "{power}: {found} for {expected}");
        power -= 0.000_97;
    }
    assert_eq!(exp(0.0), 1.0);
    assert_eq!(exp(-0.0), 1.0);
    for nothing in [-87.1, -1e30, f32::NEG_INFINITY, f32::NAN] {
        assert_eq!(exp(nothing), 0.0, "{nothing}");
    }
}

#[test]
fn lower_logits_never_weigh_more() {
    // Every 61st of the numbers from 0 down to -88.
    let last = (-88.0_f32).to_bits();
    let powers = ((-1e-9_f32).to_bits()..last).step_by(61).map(f32::from_bits);
    let mut above = 1.0;
    for power in powers {
        let below = exp(power);
        assert!(below <= above, "{power}");
        above = below;
    }
}
