//! How far a document is from what gates refuse.

use hornbook_types::GateSpec;
use serde_json::{Map, Value};

use crate::gates::share_bounds;

/// The least distance to a bound among the shares that gates measured, 1 for nothing to object to and 0 for just
/// passed; nothing when none was measured.
///
/// Only shares count: how much of a text repeats its seed, its prompt or itself. A grade has no better side.
pub(crate) fn margin(gates: &GateSpec, scores: &Map<String, Value>) -> Option<f32> {
    let margins = share_bounds(gates).into_iter().filter_map(|(name, bound)| {
        let share = scores.get(name)?.as_f64()? as f32;
        (bound > 0.0 && share.is_finite()).then(|| 1.0 - share / bound)
    });
    margins.min_by(f32::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_share_counts() {
        let gates = GateSpec { max_prompt_echo: Some(0.5), ..GateSpec::default() };
        let scores = |json: Value| json.as_object().cloned().unwrap();
        let some =
            scores(serde_json::json!({"prompt_echo": 0.1, "seed_copy": 0.0, "flesch_kincaid": 9}));
        assert_eq!(margin(&gates, &some), Some(0.8));
        let worse = scores(serde_json::json!({"prompt_echo": 0.1, "duplicate_lines": 0.3}));
        assert!(margin(&gates, &worse).unwrap().abs() < 1e-6);
        assert_eq!(margin(&gates, &scores(serde_json::json!({"score": 3}))), None);
    }
}
