//! `too_long`: more than the job wants.

use hornbook_types::GateSpec;

/// Most tokens: the job's own bound; `max_tokens` of its sampling is bound enough otherwise.
pub(super) fn bound(gates: &GateSpec) -> u64 {
    gates.max_tokens.map_or(u64::MAX, u64::from)
}
