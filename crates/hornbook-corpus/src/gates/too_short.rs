//! `too_short`: less than the audience can use.

use hornbook_types::{AudienceSpec, GatePreset, GateSpec, OutputKind};

/// Fewest tokens: the job's own bound, else the audience's target, which is for running text alone.
pub(super) fn bound(gates: &GateSpec, audience: &AudienceSpec, output: OutputKind) -> u64 {
    let default = match (gates.preset, output) {
        (GatePreset::Default, OutputKind::Text) => audience.tokens.min,
        _ => 0,
    };
    u64::from(gates.min_tokens.unwrap_or(default))
}
