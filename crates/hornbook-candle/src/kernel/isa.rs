//! Which instruction set the inner loops use.

use std::fmt;
use std::str::FromStr;

/// An instruction set that the inner loops are written for, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstructionSet {
    /// x86-64 with 512-bit integer dot products: AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
    /// x86-64 with AVX2, fused multiplication and 256-bit integer dot products.
    AvxVnni,
    /// x86-64 with AVX2 and fused multiplication.
    Avx2,
    /// Plain Rust, as the compiler makes it for the target's baseline.
    Portable,
}

impl InstructionSet {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::AvxVnni, Self::Avx2, Self::Portable];

    /// The name that configuration and provenance have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::AvxVnni => "avxvnni",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                has_avx2()
                    && std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl")
                    && std::arch::is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => has_avx2() && std::arch::is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => has_avx2(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::AvxVnni | Self::Avx2 => false,
            Self::Portable => true,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("f16c")
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for InstructionSet {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|set| set.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown instruction set {name:?}; known are {names}")
        })
    }
}

/// An instruction set that this machine was found to have.
///
/// Holding one is the proof that code compiled for it may be called: [`Isa::new`] makes none for
/// features that were not detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(InstructionSet);

impl Isa {
    /// The best one that this machine has.
    pub(crate) fn detect() -> Self {
        let best = InstructionSet::ALL.into_iter().find(|set| set.is_available());
        Self(best.unwrap_or(InstructionSet::Portable))
    }

    /// That one, if this machine has it.
    pub(crate) fn new(set: InstructionSet) -> Option<Self> {
        set.is_available().then_some(Self(set))
    }

    /// Which one it is.
    pub(crate) fn set(self) -> InstructionSet {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for set in InstructionSet::ALL {
            assert_eq!(set.name().parse(), Ok(set));
        }
        let error = "sse9".parse::<InstructionSet>().expect_err("no such set");
        assert!(error.contains("\"sse9\"") && error.contains("portable"), "{error}");
    }

    #[test]
    fn the_best_is_the_first_that_the_machine_has() {
        let best = Isa::detect().set();
        assert!(best.is_available());
        for set in InstructionSet::ALL {
            assert_eq!(Isa::new(set).is_some(), set.is_available());
            assert!(set >= best || !set.is_available());
        }
    }
}
