//! MinHash with one permutation per row, in a form that vector units are quick at.

use super::hashing::{PRIME, drawn, finish};
use super::parallel;
use super::scheme::NearScheme;
use super::shingles::Shingler;
use super::signature::Signature;

/// Permutations computed together: two registers of 512 bits, four of 256.
const LANES: usize = 32;
/// What the permutations are drawn from.
const SEED: u64 = 0x686f_726e_626f_6f6b;

/// Permutations of the 32-bit numbers: `(x XOR mask) * factor`, the factor odd.
#[derive(Clone, Debug)]
struct Permutations {
    masks: [u32; LANES],
    factors: [u32; LANES],
}

/// Signs texts, one after the other, with buffers of its own.
#[derive(Debug)]
pub struct Signer {
    scheme: NearScheme,
    permutations: Vec<Permutations>,
    arch: pulp::Arch,
    shingler: Shingler,
    hashes: Vec<u32>,
    least: Vec<u32>,
}

impl Signer {
    /// A signer for a scheme.
    pub fn new(scheme: NearScheme) -> Self {
        let rows = scheme.bands() * scheme.rows();
        let mut numbers = drawn(SEED);
        let permutations = (0..rows.div_ceil(LANES)).map(|_| draw(&mut numbers)).collect();
        Self {
            scheme,
            permutations,
            arch: pulp::Arch::new(),
            shingler: Shingler::default(),
            hashes: Vec::new(),
            least: Vec::new(),
        }
    }

    /// Signs a text; the signature depends on nothing but the text and the scheme.
    pub fn sign(&mut self, text: &str) -> Signature {
        self.hashes.clear();
        let upper = self.shingler.shingles(text).iter().map(|shingle| (shingle >> 32) as u32);
        self.hashes.extend(upper);
        self.keys()
    }

    fn keys(&mut self) -> Signature {
        if self.hashes.is_empty() {
            return Signature { keys: vec![0; self.scheme.bands()].into() };
        }
        self.least.clear();
        for permutations in &self.permutations {
            // Compiled once per instruction set; which one runs is found out on this machine.
            let least = self.arch.dispatch(|| least(&self.hashes, permutations));
            self.least.extend(least);
        }
        let bands = self.least.chunks_exact(self.scheme.rows()).zip(1_u64..);
        let keys = bands.take(self.scheme.bands()).map(|(rows, band)| key(rows, band));
        Signature { keys: keys.collect() }
    }
}

fn draw(numbers: &mut impl Iterator<Item = u64>) -> Permutations {
    let mut permutations = Permutations { masks: [0; LANES], factors: [1; LANES] };
    let lanes = permutations.masks.iter_mut().zip(&mut permutations.factors);
    for ((mask, factor), number) in lanes.zip(numbers) {
        *mask = (number >> 32) as u32;
        *factor = number as u32 | 1;
    }
    permutations
}

/// The least value of each permutation over all hashes.
#[inline(always)]
fn least(hashes: &[u32], permutations: &Permutations) -> [u32; LANES] {
    let mut least = [u32::MAX; LANES];
    for &hash in hashes {
        let lanes = permutations.masks.iter().zip(&permutations.factors);
        for (least, (mask, factor)) in least.iter_mut().zip(lanes) {
            *least = (*least).min((hash ^ mask).wrapping_mul(*factor));
        }
    }
    least
}

/// One number for a band's rows and the band's own number; never 0.
fn key(rows: &[u32], band: u64) -> u64 {
    let mixed = rows
        .iter()
        .fold(band, |key, &row| (key ^ u64::from(row)).wrapping_mul(PRIME).rotate_left(29));
    finish(mixed).max(1)
}

/// Signs many texts on so many threads; the signatures are the same with any number of them.
pub fn sign_all<T: AsRef<str> + Sync>(
    scheme: NearScheme,
    threads: usize,
    texts: &[T],
) -> Vec<Signature> {
    parallel::chunks(texts, threads, |texts| {
        let mut signer = Signer::new(scheme);
        texts.iter().map(|text| signer.sign(text.as_ref())).collect::<Vec<_>>()
    })
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_signs_alike() {
        let mut hashes = drawn(5).map(|number| number as u32);
        let mut numbers = drawn(SEED);
        for count in [1, 2, 7, 400] {
            let hashes: Vec<u32> = hashes.by_ref().take(count).collect();
            let permutations = draw(&mut numbers);
            let quick = pulp::Arch::new().dispatch(|| least(&hashes, &permutations));
            let slow: Vec<u32> = (0..LANES)
                .filter_map(|lane| {
                    let value = |hash: &u32| {
                        (u64::from(hash ^ permutations.masks[lane])
                            * u64::from(permutations.factors[lane])
                            % (1 << 32)) as u32
                    };
                    hashes.iter().map(value).min()
                })
                .collect();
            assert_eq!(quick.as_slice(), slow);
        }
    }

    #[test]
    fn signatures_are_pinned() {
        // They are stored: another value here needs another version of the scheme.
        let signature = Signer::new(NearScheme::COMPARABLE)
            .sign("The ball is red and round, and “it” rolls down the hill.");
        assert_eq!(signature.keys.len(), 14);
        assert_eq!(
            (signature.keys[0], signature.keys[13]),
            (447_538_411_128_811_844, 2_977_111_067_094_091_713)
        );
    }

    /// The law that bands and rows promise, on sets of known Jaccard: binomial bounds of 5 deviations.
    #[test]
    fn the_probability_to_meet_is_the_formulas() {
        const PAIRS: usize = 4_000;
        const UNION: usize = 100;
        for scheme in [NearScheme::COMPARABLE, NearScheme::DEFAULT] {
            let mut signer = Signer::new(scheme);
            let mut sign = |hashes: &[u32]| {
                signer.hashes.clear();
                signer.hashes.extend_from_slice(hashes);
                signer.keys()
            };
            for common in [30_usize, 40, 50, 60, 70, 75, 80, 90] {
                let mut numbers = drawn(common as u64).map(|number| (number >> 32) as u32);
                let mut met = 0_usize;
                for _ in 0..PAIRS {
                    let union: Vec<u32> = numbers.by_ref().take(UNION).collect();
                    let own = (UNION - common) / 2;
                    let (one, other) = (sign(&union[..common + own]), {
                        let other = [&union[..common], &union[common + own..]].concat();
                        sign(&other)
                    });
                    met += usize::from(one.keys.iter().zip(&other.keys).any(|(a, b)| a == b));
                }
                let s = common as f64 / UNION as f64;
                let meets = 1.0 - (1.0 - s.powi(scheme.rows() as i32)).powi(scheme.bands() as i32);
                let expected = meets * PAIRS as f64;
                let deviation = (expected * (1.0 - meets)).sqrt();
                let bound = 5.0 * deviation + 1.0;
                let off = (met as f64 - expected).abs();
                assert!(
                    off <= bound,
                    "{scheme} at {s}: {met} met, {expected:.1} ± {bound:.1} expected"
                );
            }
        }
    }
}
