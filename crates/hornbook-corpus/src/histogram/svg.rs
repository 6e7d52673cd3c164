//! A histogram as an SVG file: the same bytes for the same counts, readable on light and dark pages and by ear.

use std::fmt::Write as _;

use hornbook_types::{Bin, Distribution};

use crate::escape::xml;

/// Width of a chart.
const WIDTH: f64 = 720.0;
/// Left and right of the plot.
const MARGIN_LEFT: f64 = 120.0;
const MARGIN_RIGHT: f64 = 24.0;
/// Above the plot: the title and a line below it.
const MARGIN_TOP: f64 = 64.0;
/// Height of the bars.
const PLOT_HEIGHT: f64 = 200.0;
/// Height of one row of a strip.
const ROW_HEIGHT: f64 = 26.0;
/// Labels below the axis.
const AXIS_HEIGHT: f64 = 40.0;
/// Most labels on an axis.
const LABELS_MAX: usize = 9;

/// What a chart shows.
pub(crate) struct Chart<'a> {
    /// Its heading.
    pub(crate) title: &'a str,
    /// What is measured, with its unit.
    pub(crate) axis: &'a str,
    /// The bars.
    pub(crate) all: &'a Distribution,
    /// The same for each group, as lines from the 5th to the 95th hundredth.
    pub(crate) strips: Vec<Strip<'a>>,
}

/// One group of documents below the bars.
pub(crate) struct Strip<'a> {
    /// Its name.
    pub(crate) name: String,
    /// Its numbers.
    pub(crate) numbers: &'a Distribution,
    /// The range that was aimed at.
    pub(crate) target: Option<(Option<f64>, Option<f64>)>,
}

/// Colours of a page that is light, then of one that is dark; the background is the chart's own, so that no
/// reader sees dark on dark whatever surrounds it. Plain colours: not every viewer knows variables.
const STYLE: &str = "\
text{fill:#1b1f24;font:12px system-ui,sans-serif}.title{font-size:16px;font-weight:600}\
.page{fill:#fff}.soft{fill:#57606a}.rule{stroke:#d0d7de}.bar{fill:#0969da}\
.aim{fill:#1a7f37;fill-opacity:.2}.line{stroke:#0969da;stroke-width:2}\
.mark{fill:#fff;stroke:#0969da;stroke-width:2}\
@media (prefers-color-scheme:dark){\
text{fill:#e6edf3}.page{fill:#0d1117}.soft{fill:#9da7b1}.rule{stroke:#30363d}.bar{fill:#4493f8}\
.aim{fill:#3fb950;fill-opacity:.3}.line{stroke:#4493f8}.mark{fill:#0d1117;stroke:#4493f8}}";

/// Appends to a string, which cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, $($arg)*);
    }};
}

/// The chart as a file; `None` where there is nothing to show.
pub(crate) fn chart(chart: &Chart<'_>) -> Option<String> {
    let bins = &chart.all.bins;
    let (first, last) = (bins.first()?, bins.last()?);
    let axis = Axis::new(bins, first.from, last.to);
    let strips_height = chart.strips.len() as f64 * ROW_HEIGHT;
    let base = MARGIN_TOP + PLOT_HEIGHT;
    let strips_top = base + AXIS_HEIGHT + 12.0;
    let gap = if chart.strips.is_empty() { 0.0 } else { 28.0 };
    let height = base + AXIS_HEIGHT + strips_height + gap;
    let mut out = String::new();
    put!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title desc\">"
    );
    put!(out, "<title id=\"title\">{}</title>", xml(chart.title));
    put!(out, "<desc id=\"desc\">{}</desc>", xml(&description(chart)));
    put!(out, "<style>{STYLE}</style>");
    put!(out, "<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>");
    put!(out, "<text class=\"title\" x=\"16\" y=\"28\">{}</text>", xml(chart.title));
    put!(out, "<text class=\"soft\" x=\"16\" y=\"48\">{}</text>", xml(&summary(chart.all)));
    bars(&mut out, bins, &axis, base);
    axis.labels(&mut out, base, chart.axis);
    for (row, strip) in chart.strips.iter().enumerate() {
        strip_row(&mut out, strip, &axis, strips_top + (row as f64 + 0.5) * ROW_HEIGHT);
    }
    put!(out, "</svg>");
    Some(out)
}

/// A number as a label: whole where it is, else at most two decimals.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        return format!("{value}");
    }
    let digits = if value.abs() < 0.1 { 4 } else { 2 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn summary(all: &Distribution) -> String {
    format!(
        "{} documents; half have less than {}, nine of ten have {} to {}",
        all.documents,
        number(all.p50),
        number(all.p5),
        number(all.p95)
    )
}

/// The whole chart in words.
fn description(chart: &Chart<'_>) -> String {
    let mut text = format!(
        "Histogram of {}. {}. Least {}, greatest {}.",
        chart.axis,
        summary(chart.all),
        number(chart.all.min),
        number(chart.all.max)
    );
    if let Some(most) = chart.all.bins.iter().max_by_key(|bin| bin.documents) {
        let (from, to) = (number(most.from), number(most.to));
        let _ = write!(text, " Most lie from {from} to below {to}: {}.", most.documents);
    }
    for strip in &chart.strips {
        let it = strip.numbers;
        let (low, middle, high) = (number(it.p5), number(it.p50), number(it.p95));
        let _ = write!(
            text,
            " {}: median {middle}, 5th to 95th hundredth {low} to {high}, {} documents.",
            strip.name, it.documents
        );
    }
    text
}

fn bars(out: &mut String, bins: &[Bin], axis: &Axis<'_>, base: f64) {
    let most = bins.iter().map(|bin| bin.documents).max().unwrap_or(1).max(1);
    for (class, y, label) in [("rule", MARGIN_TOP, most), ("rule", base, 0)] {
        let right = WIDTH - MARGIN_RIGHT;
        put!(
            out,
            "<line class=\"{class}\" x1=\"{MARGIN_LEFT}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>"
        );
        let x = MARGIN_LEFT - 8.0;
        put!(
            out,
            "<text class=\"soft\" x=\"{x}\" y=\"{}\" text-anchor=\"end\">{label}</text>",
            y + 4.0
        );
    }
    for (place, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.documents > 0) {
        let (x, width) = (axis.edge(place), axis.width());
        // One document among millions is still to be seen.
        let height = (bin.documents as f64 / most as f64 * PLOT_HEIGHT).max(1.0);
        put!(
            out,
            "<rect class=\"bar\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{height:.2}\">\
             <title>{} to below {}: {}</title></rect>",
            x + 0.5,
            base - height,
            (width - 1.0).max(0.5),
            number(bin.from),
            number(bin.to),
            bin.documents
        );
    }
}

fn strip_row(out: &mut String, strip: &Strip<'_>, axis: &Axis<'_>, y: f64) {
    let name: String = strip.name.chars().take(18).collect();
    let x = MARGIN_LEFT - 8.0;
    put!(out, "<text x=\"{x}\" y=\"{}\" text-anchor=\"end\">{}</text>", y + 4.0, xml(&name));
    if let Some((from, to)) = strip.target {
        let left = from.map_or(MARGIN_LEFT, |from| axis.place(from));
        let right = to.map_or(WIDTH - MARGIN_RIGHT, |to| axis.place(to));
        put!(
            out,
            "<rect class=\"aim\" x=\"{left:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\"/>",
            y - ROW_HEIGHT / 2.0 + 2.0,
            (right - left).max(2.0),
            ROW_HEIGHT - 4.0
        );
    }
    let it = strip.numbers;
    put!(
        out,
        "<line class=\"line\" x1=\"{:.2}\" y1=\"{y}\" x2=\"{:.2}\" y2=\"{y}\"/>",
        axis.place(it.p5),
        axis.place(it.p95)
    );
    let (left, right) = (axis.place(it.p25), axis.place(it.p75));
    put!(
        out,
        "<rect class=\"bar\" x=\"{left:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"8\"/>",
        y - 4.0,
        (right - left).max(1.0)
    );
    put!(out, "<circle class=\"mark\" cx=\"{:.2}\" cy=\"{y}\" r=\"4\"/>", axis.place(it.p50));
}

/// Where values lie from left to right: every bar has the same width, whatever it counts.
struct Axis<'a> {
    bins: &'a [Bin],
    from: f64,
    to: f64,
}

impl<'a> Axis<'a> {
    fn new(bins: &'a [Bin], from: f64, to: f64) -> Self {
        Self { bins, from, to }
    }

    fn width(&self) -> f64 {
        (WIDTH - MARGIN_LEFT - MARGIN_RIGHT) / self.bins.len() as f64
    }

    /// The left edge of a bar.
    fn edge(&self, place: usize) -> f64 {
        MARGIN_LEFT + place as f64 * self.width()
    }

    /// Where a value lies.
    fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.from, self.to);
        let after = self.bins.partition_point(|bin| bin.from <= value);
        let place = after.saturating_sub(1);
        let Some(bin) = self.bins.get(place) else { return MARGIN_LEFT };
        let part = (value - bin.from) / (bin.to - bin.from);
        self.edge(place) + part * self.width()
    }

    fn labels(&self, out: &mut String, base: f64, title: &str) {
        let every = (self.bins.len() + 1).div_ceil(LABELS_MAX).max(1);
        let ends = self.bins.iter().map(|bin| bin.from).chain([self.to]);
        for (place, value) in ends.enumerate().step_by(every) {
            put!(
                out,
                "<text class=\"soft\" x=\"{:.2}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                self.edge(place),
                base + 16.0,
                number(value)
            );
        }
        let middle = (MARGIN_LEFT + WIDTH - MARGIN_RIGHT) / 2.0;
        put!(
            out,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            base + 34.0,
            xml(title)
        );
    }
}
