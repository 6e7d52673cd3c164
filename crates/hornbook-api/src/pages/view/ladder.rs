//! The ladder of audiences, and the pages that show it.

use hornbook_types::{AudienceSpec, GradeRange, TokenRange};
use serde::Serialize;

use super::super::text;
use super::{Choice, Fact, JobRow, StateMark, VersionLink};

/// Highest rank that has a place of its own in the stylesheet.
const RANK_MAX: i16 = 6;
/// Height of a leaf's text, in the units of its drawing (the whole leaf is 60 x 80).
const LEAF_TEXT_HEIGHT: f32 = 58.0;

/// A small drawing of a page: as many lines, as large, as this audience's text would have.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Leaf {
    lines: Vec<LeafLine>,
}

#[derive(Clone, Debug, Serialize)]
struct LeafLine {
    x: String,
    y: String,
    width: String,
    height: String,
}

impl Leaf {
    /// The leaf of a text with this target length: a page holds one line for every
    /// `sqrt(tokens) / 1.9`, so that toddler and graduate both stay drawable.
    fn of(tokens: TokenRange) -> Self {
        let middle = (f64::from(tokens.min) + f64::from(tokens.max)) / 2.0;
        let lines = (middle.sqrt() / 1.9).round().clamp(3.0, 24.0) as u32;
        let pitch = (LEAF_TEXT_HEIGHT / lines as f32).min(11.0);
        let height = pitch * 0.5;
        let lines = (0..=lines)
            .map(|index| {
                // A heading, then ragged lines; the last is short, as last lines are.
                let width = if index == 0 {
                    20.0
                } else if index == lines {
                    21.0
                } else {
                    44.0 - [0.0, 5.0, 2.0, 7.0, 1.0][index as usize % 5]
                };
                let y = if index == 0 { 9.0 } else { 9.0 + pitch * index as f32 + 2.0 };
                LeafLine {
                    x: "8".to_owned(),
                    y: format!("{y:.1}"),
                    width: format!("{width:.0}"),
                    height: format!("{:.1}", if index == 0 { height.max(2.4) } else { height }),
                }
            })
            .collect();
        Self { lines }
    }
}

/// One audience, ready to show.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) slug: String,
    pub(crate) version: u32,
    pub(crate) title: String,
    /// Place in the stylesheet, 0 to 6; absent off the ladder.
    pub(crate) rank: Option<i16>,
    pub(crate) reader: String,
    pub(crate) grade: String,
    pub(crate) tokens: String,
    pub(crate) instructions: Vec<String>,
    pub(crate) leave_out: Vec<String>,
    pub(crate) vocabulary: String,
    pub(crate) formulas: String,
    pub(crate) ending: String,
    pub(crate) leaf: Leaf,
}

impl Step {
    /// The audience `slug@version`.
    pub(crate) fn new(slug: &str, version: u32, spec: &AudienceSpec) -> Self {
        Self {
            slug: slug.to_owned(),
            version,
            title: text::one_line(&spec.title),
            rank: spec.rank.map(|rank| rank.clamp(0, RANK_MAX)),
            reader: spec.reader.clone(),
            grade: grade(spec.grade),
            tokens: format!(
                "{}–{}",
                text::count(u64::from(spec.tokens.min)),
                text::count(u64::from(spec.tokens.max))
            ),
            instructions: spec.instructions.clone(),
            leave_out: spec.leave_out.clone(),
            vocabulary: text::label_words(&spec.vocabulary),
            formulas: text::label_words(&spec.formulas),
            ending: text::label_words(&spec.ending),
            leaf: Leaf::of(spec.tokens),
        }
    }
}

fn grade(range: GradeRange) -> String {
    match (range.min, range.max) {
        (Some(min), Some(max)) => format!("{min}–{max}"),
        (None, Some(max)) => format!("up to {max}"),
        (Some(min), None) => format!("from {min}"),
        (None, None) => "any".to_owned(),
    }
}

/// All audiences: those on the ladder from its foot up, and those beside it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Ladder {
    pub(crate) rungs: Vec<Step>,
    pub(crate) beside: Vec<Step>,
}

impl Ladder {
    /// Sorts audiences by rank, then name.
    pub(crate) fn new(mut steps: Vec<Step>) -> Self {
        steps.sort_by(|a, b| (a.rank, &a.slug).cmp(&(b.rank, &b.slug)));
        let (rungs, beside) = steps.into_iter().partition(|step| step.rank.is_some());
        Self { rungs, beside }
    }

    /// Number of audiences.
    pub(crate) fn len(&self) -> usize {
        self.rungs.len() + self.beside.len()
    }

    /// Every audience, the ladder first.
    pub(crate) fn all(&self) -> Vec<Step> {
        self.rungs.iter().chain(&self.beside).cloned().collect()
    }
}

/// `home.html`.
#[derive(Debug, Serialize)]
pub(crate) struct HomePage {
    pub(crate) troubled: Vec<EndpointCard>,
    pub(crate) jobs: Vec<JobRow>,
    pub(crate) tally: Vec<Tally>,
    pub(crate) ladder: Ladder,
}

/// One number of what is here, with the way to it.
#[derive(Debug, Serialize)]
pub(crate) struct Tally {
    pub(crate) href: &'static str,
    pub(crate) count: String,
    pub(crate) label: &'static str,
}

/// `audiences.html`.
#[derive(Debug, Serialize)]
pub(crate) struct AudiencesPage {
    pub(crate) ladder: Ladder,
    pub(crate) all: Vec<Step>,
    pub(crate) put_line: String,
}

/// `audience.html`.
#[derive(Debug, Serialize)]
pub(crate) struct AudiencePage {
    pub(crate) step: Step,
    pub(crate) rank_text: Option<String>,
    pub(crate) outdated: bool,
    pub(crate) versions: Vec<VersionLink>,
    pub(crate) templates: Vec<LabelledLink>,
}

/// A link with its words.
#[derive(Debug, Serialize)]
pub(crate) struct LabelledLink {
    pub(crate) href: String,
    pub(crate) label: String,
}

/// `endpoints.html`.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointsPage {
    pub(crate) endpoints: Vec<EndpointCard>,
    pub(crate) put_line: String,
}

/// One endpoint with its state.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointCard {
    pub(crate) name: String,
    pub(crate) state: StateMark,
    pub(crate) message: Option<String>,
    pub(crate) facts: Vec<Fact>,
}

/// Check boxes or options for audiences, in the order of the ladder.
pub(crate) fn audience_choices(ladder: &Ladder, chosen: &[String]) -> Vec<Choice> {
    ladder
        .all()
        .into_iter()
        .map(|step| Choice {
            selected: chosen.contains(&step.slug),
            value: step.slug,
            label: step.title,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_grow_and_stay_on_the_page() {
        let lines = |min, max| {
            let leaf = Leaf::of(TokenRange { min, max });
            let lowest: f32 = leaf
                .lines
                .iter()
                .map(|line| line.y.parse::<f32>().unwrap() + line.height.parse::<f32>().unwrap())
                .fold(0.0, f32::max);
            assert!(lowest < 80.0, "{leaf:?}");
            leaf.lines.len()
        };
        assert!(lines(30, 120) < lines(150, 600));
        assert!(lines(150, 600) < lines(300, 2_500));
        lines(1, u32::MAX);
    }
}
