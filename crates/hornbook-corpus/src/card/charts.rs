//! Which histograms a corpus has.

use super::{CardFacts, Made};
use crate::histogram::{Chart, Strip, chart};

/// Most scores that have a chart of their own; the card's table has them all.
const SCORES_MAX: usize = 6;

/// A histogram and where it lies below the corpus.
pub(super) struct ChartFile {
    /// Path, such as `assets/tokens.svg`.
    pub(super) path: String,
    /// What it shows, for who cannot see it.
    pub(super) title: String,
    /// The file.
    pub(super) svg: String,
}

/// The histograms of everything that any document has.
pub(super) fn charts(facts: &CardFacts<'_>) -> Vec<ChartFile> {
    let statistics = facts.statistics;
    let mut charts = Vec::new();
    let tokens = Chart {
        title: "Length of documents",
        axis: "tokens",
        all: &statistics.tokens,
        strips: Vec::new(),
    };
    add(&mut charts, "tokens", &tokens);
    let grades = Chart {
        title: "Reading grade of documents",
        axis: "Flesch-Kincaid grade (years of school)",
        all: &statistics.grades,
        strips: audiences(facts),
    };
    add(&mut charts, "reading-grade", &grades);
    for (place, (name, all)) in statistics.scores.iter().take(SCORES_MAX).enumerate() {
        // A score's name is anybody's: it is no part of a path unless it is plain.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_plain = !name.is_empty() && name.len() <= 40 && name.chars().all(plain);
        let stem = if is_plain { name.replace('_', "-") } else { format!("other-{place}") };
        let title = format!("Score {name}");
        let score = Chart { title: &title, axis: name, all, strips: Vec::new() };
        add(&mut charts, &format!("score-{stem}"), &score);
    }
    charts
}

/// Adds a chart if there is anything to show.
fn add(charts: &mut Vec<ChartFile>, stem: &str, shown: &Chart<'_>) {
    if let Some(svg) = chart(shown) {
        let (path, title) = (format!("assets/{stem}.svg"), shown.title.to_owned());
        charts.push(ChartFile { path, title, svg });
    }
}

/// Grades by audience in the order of the ladder, those off it after it.
fn audiences<'a>(facts: &CardFacts<'a>) -> Vec<Strip<'a>> {
    let spec_of = |name: &str| match facts.made {
        Made::Job(spec) => spec.lines.iter().find(|line| line.audience.slug.as_str() == name),
        Made::Files(_) => None,
    };
    let mut found: Vec<(i16, Strip<'a>)> = facts
        .statistics
        .grades_by_audience
        .iter()
        .map(|(name, numbers)| {
            let audience = spec_of(name).map(|line| &line.audience_spec);
            let rank = audience.and_then(|it| it.rank).unwrap_or(i16::MAX);
            let target = audience
                .map(|it| (it.grade.min.map(f64::from), it.grade.max.map(f64::from)))
                .filter(|(min, max)| min.is_some() || max.is_some());
            (rank, Strip { name: name.clone(), numbers, target })
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
    found.into_iter().map(|(_, strip)| strip).collect()
}
