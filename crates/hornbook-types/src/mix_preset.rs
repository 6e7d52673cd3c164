//! Published mixes by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{FieldError, FilterColumn, MixFilter, MixLine, MixSource, SourceKind};

/// A published mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum MixPreset {
    /// 40 % for middle school, 30 % for college, 30 % for all others.
    #[serde(rename = "cosmopedia-v2")]
    CosmopediaV2,
    /// SmolLM's training mix: 70 % web, 15 % synthetic, 8 % code, 6 % mathematics, 1 % questions with answers.
    #[serde(rename = "smollm")]
    Smollm,
}

/// Audiences as this service and as Cosmopedia v2 itself name them.
const MIDDLE_SCHOOL: [&str; 2] = ["middle-school", "middle_school_students"];
/// See [`MIDDLE_SCHOOL`].
const COLLEGE: [&str; 2] = ["college", "college_students"];

/// Weights of SmolLM's training configuration: FineWeb-Edu (deduplicated), Cosmopedia v2, Python-Edu, OpenWebMath,
/// Stack Overflow.
const SMOLLM: [(SourceKind, f64); 5] = [
    (SourceKind::Web, 0.7),
    (SourceKind::Synthetic, 0.15),
    (SourceKind::Code, 0.08),
    (SourceKind::Math, 0.06),
    (SourceKind::Questions, 0.01),
];

impl MixPreset {
    /// Appends every fault to `faults`, with pointers below `at`.
    pub(crate) fn check(self, sources: &[MixSource], at: &str, faults: &mut Vec<FieldError>) {
        if self != Self::Smollm {
            return;
        }
        for (index, source) in sources.iter().enumerate() {
            if kind_of(source).is_none() {
                let detail = "the preset shares by kind: web, synthetic, code, math or questions";
                faults.push(FieldError::new(format!("{at}/sources/{index}/kind"), detail));
            }
        }
        for (kind, weight) in SMOLLM {
            if !sources.iter().any(|source| kind_of(source) == Some(kind)) {
                let detail = format!(
                    "the preset takes {} % of kind '{}', and no source is of it; give weights instead of a preset \
                     to do without",
                    (weight * 100.0).round(),
                    kind.as_str()
                );
                faults.push(FieldError::new(format!("{at}/sources"), detail));
            }
        }
    }

    /// The shares that the preset stands for; empty ones are for the caller to refuse.
    pub(crate) fn lines(self, sources: &[MixSource]) -> Vec<MixLine> {
        match self {
            Self::CosmopediaV2 => {
                let all: Vec<&MixSource> = sources.iter().collect();
                let both = MIDDLE_SCHOOL.iter().chain(&COLLEGE).copied().collect::<Vec<_>>();
                let only =
                    |names: &[&str]| MixFilter { only: audiences(names), ..MixFilter::default() };
                let others = MixFilter { except: audiences(&both), ..MixFilter::default() };
                vec![
                    line("middle-school", &all, only(&MIDDLE_SCHOOL), 0.4),
                    line("college", &all, only(&COLLEGE), 0.3),
                    line("other", &all, others, 0.3),
                ]
            }
            Self::Smollm => {
                let of = |kind| sources.iter().filter(|it| kind_of(it) == Some(kind)).collect();
                let line = |(kind, weight): (SourceKind, f64)| {
                    let sources: Vec<&MixSource> = of(kind);
                    line(kind.as_str(), &sources, MixFilter::default(), weight)
                };
                SMOLLM.map(line).into()
            }
        }
    }
}

fn audiences(names: &[&str]) -> BTreeMap<FilterColumn, Vec<String>> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    BTreeMap::from([(FilterColumn::Audience, names)])
}

/// No source of a line may be repeated more often than it allows itself.
fn line(name: &str, sources: &[&MixSource], filter: MixFilter, weight: f64) -> MixLine {
    MixLine {
        name: name.to_owned(),
        sources: sources.iter().map(|source| source.label()).collect(),
        filter,
        weight: Some(weight),
        tokens: None,
        max_epochs: sources.iter().filter_map(|source| source.max_epochs).min().unwrap_or(1),
    }
}

/// What a job writes is synthetic unless somebody says otherwise.
fn kind_of(source: &MixSource) -> Option<SourceKind> {
    source.kind.or(source.job.map(|_| SourceKind::Synthetic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CorpusRow, MixSpec};

    #[test]
    fn every_audience_has_its_share_of_cosmopedia() {
        let json = serde_json::json!({
            "preset": "cosmopedia-v2", "sources": [{"name": "a", "max_epochs": 3}, {"name": "b"}]
        });
        let spec: MixSpec = serde_json::from_value(json).unwrap();
        let lines = spec.lines();
        let line_of = |audience: &str| {
            let row = CorpusRow { audience: audience.to_owned(), ..CorpusRow::default() };
            let fits: Vec<_> = lines.iter().filter(|it| it.filter.takes(&row, None)).collect();
            assert_eq!(fits.len(), 1, "{audience}");
            (fits[0].name.clone(), fits[0].weight)
        };
        assert_eq!(line_of("middle-school"), ("middle-school".to_owned(), Some(0.4)));
        assert_eq!(line_of("college_students"), ("college".to_owned(), Some(0.3)));
        assert_eq!(line_of("toddler"), ("other".to_owned(), Some(0.3)));
        assert_eq!(line_of(""), ("other".to_owned(), Some(0.3)));
        assert!(lines.iter().all(|line| line.sources == ["a", "b"] && line.max_epochs == 3));
    }

    #[test]
    fn smollm_needs_a_source_of_every_kind() {
        let json = serde_json::json!({"preset": "smollm", "sources": [
            {"name": "w", "kind": "web"}, {"name": "c", "kind": "code"}, {"name": "m", "kind": "math"},
            {"job": uuid::Uuid::nil()}
        ]});
        let mut spec: MixSpec = serde_json::from_value(json).unwrap();
        let mut faults = Vec::new();
        spec.check("", &mut faults);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].detail.contains("1 % of kind 'questions'"), "{faults:?}");
        spec.sources.push(MixSource {
            name: Some("q".to_owned()),
            kind: Some(SourceKind::Questions),
            ..MixSource::default()
        });
        faults.clear();
        spec.check("", &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        let weights: f64 = spec.lines().iter().filter_map(|line| line.weight).sum();
        assert!((weights - 1.0).abs() < 1e-9);
        spec.sources[0].kind = None;
        spec.check("", &mut faults);
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
}
