//! Pieces that several pages share.

use std::borrow::Cow;

use hornbook_types::{Counts, EndpointState, JobState, Verdict};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::text;

/// Longest value of a seed's field that a page shows, in characters.
const FIELD_CHARS: usize = 1_200;
/// Most fields of one seed that a page shows.
const FIELDS_SHOWN: usize = 24;

/// A time: for machines and for people.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct When {
    iso: String,
    text: String,
}

impl From<OffsetDateTime> for When {
    fn from(at: OffsetDateTime) -> Self {
        Self { iso: at.format(&Rfc3339).unwrap_or_default(), text: text::date(at) }
    }
}

/// A state in words and colour.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StateMark {
    label: String,
    tone: &'static str,
}

impl StateMark {
    /// A state in these words and colour.
    pub(super) fn new(label: String, tone: &'static str) -> Self {
        Self { label, tone }
    }
}

impl From<JobState> for StateMark {
    fn from(state: JobState) -> Self {
        let tone = match state {
            JobState::Queued | JobState::Cancelled => "",
            JobState::Running | JobState::Assembling => "live",
            JobState::Paused | JobState::Cancelling | JobState::SucceededWithErrors => "warn",
            JobState::Succeeded => "ok",
            JobState::Failed => "bad",
        };
        Self { label: text::label(state.as_str()), tone }
    }
}

impl From<Verdict> for StateMark {
    fn from(verdict: Verdict) -> Self {
        let tone = match verdict {
            Verdict::Accepted => "ok",
            Verdict::Rejected => "warn",
            Verdict::Failed => "bad",
        };
        Self { label: text::label(verdict.as_str()), tone }
    }
}

impl From<EndpointState> for StateMark {
    fn from(state: EndpointState) -> Self {
        let tone = match state {
            EndpointState::Ready => "ok",
            EndpointState::Paused => "warn",
            EndpointState::Unavailable => "bad",
        };
        Self { label: text::label(state.as_str()), tone }
    }
}

/// A bar of what became of a job's prompts, 1,000 units long.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bar {
    percent: u64,
    text: String,
    pieces: Vec<BarPiece>,
}

#[derive(Clone, Debug, Serialize)]
struct BarPiece {
    kind: &'static str,
    x: String,
    width: String,
}

impl From<&Counts> for Bar {
    fn from(counts: &Counts) -> Self {
        let total = counts.total.max(1) as f64;
        let mut x = 0.0;
        let kinds = [
            ("accepted", counts.accepted),
            ("rejected", counts.rejected),
            ("failed", counts.failed),
            ("running", counts.running),
        ];
        let pieces = kinds
            .into_iter()
            .map(|(kind, prompts)| {
                let width = (prompts as f64 / total * 1000.0).min(1000.0 - x);
                let piece = BarPiece { kind, x: format!("{x:.1}"), width: format!("{width:.1}") };
                x += width;
                piece
            })
            .collect();
        let ended = counts.ended();
        Self {
            percent: (ended as f64 / total * 100.0).floor().min(100.0) as u64,
            text: format!("{} of {}", text::count(ended), text::count(counts.total)),
            pieces,
        }
    }
}

/// One choice of a select or one check box.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) selected: bool,
}

impl Choice {
    /// A choice that shows its value.
    pub(crate) fn named(value: &str, chosen: Option<&str>) -> Self {
        Self { value: value.to_owned(), label: value.to_owned(), selected: chosen == Some(value) }
    }

    /// A choice with words of its own.
    pub(crate) fn labelled(value: &str, label: &str, chosen: Option<&str>) -> Self {
        Self { label: label.to_owned(), ..Self::named(value, chosen) }
    }
}

/// A labelled value, perhaps with a link.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fact {
    label: Cow<'static, str>,
    value: String,
    href: Option<String>,
}

impl Fact {
    /// A fact without a link.
    pub(crate) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), href: None }
    }

    /// A fact whose label is only known now.
    pub(crate) fn named(label: String, value: String) -> Self {
        Self { label: label.into(), value, href: None }
    }

    /// True when there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// The same fact with a link.
    pub(crate) fn link(self, href: String) -> Self {
        Self { href: Some(href), ..self }
    }
}

/// One field of a record, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NamedValue {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A record's fields, cut to what a page can show.
pub(crate) fn record(data: &Map<String, Value>) -> Vec<NamedValue> {
    let shown = data.iter().take(FIELDS_SHOWN).map(|(name, value)| NamedValue {
        name: text::one_line(name),
        value: match value {
            Value::String(words) => text::excerpt(words, FIELD_CHARS),
            other => text::excerpt(&other.to_string(), FIELD_CHARS),
        },
    });
    let more = data.len().saturating_sub(FIELDS_SHOWN);
    let rest = (more > 0)
        .then(|| NamedValue { name: "more fields".to_owned(), value: text::count(more as u64) });
    shown.chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_never_overflows() {
        let over = Counts {
            total: 3,
            accepted: 2,
            rejected: 1,
            failed: 1,
            running: 4,
            ..Counts::default()
        };
        for counts in [Counts::default(), over] {
            let bar = Bar::from(&counts);
            let sum: f64 = bar.pieces.iter().map(|p| p.width.parse::<f64>().unwrap()).sum();
            assert!(sum <= 1000.0 + 0.5, "{bar:?}");
            assert!(bar.percent <= 100);
        }
    }

    #[test]
    fn a_wide_record_is_cut_and_says_so() {
        let data: Map<String, Value> = (0..30).map(|n| (format!("f{n}"), Value::from(n))).collect();
        let shown = record(&data);
        assert_eq!(shown.len(), FIELDS_SHOWN + 1);
        assert_eq!(shown[FIELDS_SHOWN].value, "6");
    }
}
