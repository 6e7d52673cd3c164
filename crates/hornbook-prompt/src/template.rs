//! A prompt template, parsed once and rendered many times.

use std::collections::BTreeMap;

use hornbook_types::limits::{PROMPT_BYTES, TEMPLATE_BODY_BYTES};
use hornbook_types::{AudienceSpec, JobSeed, Slug, mix};
use serde_json::Map;
use tera::{Context, ErrorKind, Tera, Value};

use crate::fields::{SeedFields, seed_fields};
use crate::instrument::{Instrumented, place};
use crate::sandbox::{self, PromptWriter};
use crate::{rules, scan};

const NAME: &str = "prompt";
/// Keeps `job.draw` apart from every other use of the job's seed.
const DRAW_KEY: u64 = 0x6472_6177; // "draw"
/// `job.draw` is below this, so that it is exact in every number type.
const DRAW_RANGE: u64 = 1 << 32;

/// Why a body is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct TemplateError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a template gave no prompt for one seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", .line.map(|line| format!(" (line {line})")).unwrap_or_default())]
pub struct RenderError {
    /// Line of the template, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong; names the variable when one is missing.
    pub message: String,
}

/// What a template is rendered with.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The audience's name.
    pub audience: &'a Slug,
    /// The audience's content.
    pub audience_spec: &'a AudienceSpec,
    /// The seed record; data, never read as a template.
    pub seed: &'a Map<String, serde_json::Value>,
    /// What the template may know of its job.
    pub job: JobContext<'a>,
}

/// What a template may know of its job, as `job.name`, `job.seq`, `job.seed`, `job.draw`
/// (a number from 0 to 2^32 - 1 that depends on seed and seq alone) and `job.metadata`.
#[derive(Clone, Copy, Debug)]
pub struct JobContext<'a> {
    /// The job's name.
    pub name: &'a str,
    /// The job's seed.
    pub seed: JobSeed,
    /// Number of the prompt.
    pub seq: u64,
    /// The user's own labels; the catalog's templates read `words` ("60 to 120") from it.
    pub metadata: &'a BTreeMap<String, String>,
}

/// A parsed template.
#[derive(Debug)]
pub struct CompiledTemplate {
    tera: Tera,
    source: String,
    instrumented: Instrumented,
    fields: SeedFields,
}

impl CompiledTemplate {
    /// Parses a body and holds it to the rules of [`sandbox`].
    pub fn parse(body: &str) -> Result<Self, TemplateError> {
        let fault = |offset: usize, message: String| {
            let (line, column) = place(body, offset);
            TemplateError { line, column, message }
        };
        if body.len() > TEMPLATE_BODY_BYTES {
            return Err(fault(
                TEMPLATE_BODY_BYTES,
                format!("is {} bytes; at most {TEMPLATE_BODY_BYTES} are allowed", body.len()),
            ));
        }
        rules::check_elifs(body).map_err(|breach| fault(breach.at, breach.message))?;
        // The user's own text goes first, so that a syntax error is told in the user's words.
        if let Err(error) = sandbox::engine().add_raw_template(NAME, body)
            && let ErrorKind::SyntaxError(report) = error.kind()
        {
            return Err(fault(report.span().range.start, tidy(report.message())));
        }
        let pieces = scan::scan(body)
            .map_err(|offset| fault(offset, "the template could not be read here".to_owned()))?;
        rules::check(body, &pieces).map_err(|breach| fault(breach.at, breach.message))?;
        let instrumented = Instrumented::new(body, &pieces);
        let mut tera = sandbox::engine();
        if let Err(error) = tera.add_raw_template(NAME, &instrumented.source) {
            let (offset, message) = match error.kind() {
                ErrorKind::SyntaxError(report) => {
                    (instrumented.original(report.span().range.start), tidy(report.message()))
                }
                other => (0, tidy(&other.to_string())),
            };
            return Err(fault(offset, message));
        }
        let fields = seed_fields(body, &pieces);
        Ok(Self { tera, source: body.to_owned(), instrumented, fields })
    }

    /// The seed fields that the template reads.
    pub fn fields(&self) -> &SeedFields {
        &self.fields
    }

    /// The prompt for one seed; white space around it is cut off.
    pub fn render(&self, context: &RenderContext<'_>) -> Result<String, RenderError> {
        let audience = audience_value(context.audience, context.audience_spec);
        self.render_for(audience, context.seed, &context.job)
    }

    /// As [`render`](Self::render), for an audience that was made ready before: it is the same for
    /// every prompt of a recipe line, and making it costs more than the rest of a prompt.
    pub(crate) fn render_for(
        &self,
        audience: Value,
        seed: &Map<String, serde_json::Value>,
        job: &JobContext<'_>,
    ) -> Result<String, RenderError> {
        let mut values = Context::new();
        values.insert_value("audience", audience);
        values.insert_value("seed", Value::from_serializable(seed));
        values.insert_value("job", job_value(job));
        let mut writer = PromptWriter::default();
        sandbox::refill();
        if let Err(error) = self.tera.render_to(NAME, &values, &mut writer) {
            return Err(if writer.overflowed {
                RenderError {
                    line: None,
                    message: format!("the prompt is longer than {PROMPT_BYTES} bytes"),
                }
            } else {
                self.explain(&error)
            });
        }
        let text = String::from_utf8(writer.bytes).map_err(|_| RenderError {
            line: None,
            message: "the prompt is not valid UTF-8".to_owned(),
        })?;
        match text.trim() {
            "" => Err(RenderError { line: None, message: "the prompt is empty".to_owned() }),
            trimmed => Ok(trimmed.to_owned()),
        }
    }

    fn explain(&self, error: &tera::Error) -> RenderError {
        let ErrorKind::RenderingError(report) = error.kind() else {
            return RenderError { line: None, message: tidy(&error.to_string()) };
        };
        let start = self.instrumented.original(report.span().range.start);
        let end = self.instrumented.original(report.span().range.end);
        let message = report.message();
        let missing = message.contains("not defined")
            || message.contains("is undefined")
            || message.contains("got `undefined`");
        let message = if missing {
            format!("'{}' is not defined", path_at(&self.source, start, end))
        } else {
            tidy(message)
        };
        RenderError { line: Some(place(&self.source, start).0), message }
    }
}

/// The whole dotted path around a span that may cover only one of its names.
fn path_at(source: &str, start: usize, end: usize) -> &str {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.?".contains(&byte);
    let bytes = source.as_bytes();
    let mut start = start.min(bytes.len());
    while start > 0 && part(bytes[start - 1]) {
        start -= 1;
    }
    let mut end = end.clamp(start, bytes.len());
    while end < bytes.len() && part(bytes[end]) {
        end += 1;
    }
    source.get(start..end).unwrap_or_default().trim()
}

/// Tera's message in this project's manner: lowercase, no full stop, first line only.
fn tidy(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim_end_matches('.');
    let mut chars = line.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars.as_str().chars()).collect()
    })
}

/// An audience as templates see it.
pub(crate) fn audience_value(slug: &Slug, spec: &AudienceSpec) -> Value {
    // About four tokens to three words, rounded to tens: exact to nobody, useful to a model.
    let words = |tokens: u32| ((u64::from(tokens) * 3 / 4).div_ceil(10) * 10).max(10);
    let mut value = serde_json::json!({
        "slug": slug,
        "title": spec.title,
        "reader": spec.reader,
        "instructions": spec.instructions,
        "vocabulary": spec.vocabulary,
        "leave_out": spec.leave_out,
        "formulas": spec.formulas,
        "ending": spec.ending,
        "tokens": spec.tokens,
        "grade": spec.grade,
        "words": format!("{} to {}", words(spec.tokens.min), words(spec.tokens.max)),
    });
    // Off the ladder `rank` is not defined, so that `default` gives it a value.
    if let Some(rank) = spec.rank {
        value["rank"] = rank.into();
    }
    Value::from_serializable(&value)
}

fn job_value(job: &JobContext<'_>) -> Value {
    #[derive(serde::Serialize)]
    struct Seen<'a> {
        name: &'a str,
        seed: JobSeed,
        seq: u64,
        draw: u64,
        metadata: &'a BTreeMap<String, String>,
    }
    Value::from_serializable(&Seen {
        name: job.name,
        seed: job.seed,
        seq: job.seq,
        draw: mix(mix(job.seed.0, DRAW_KEY), job.seq) % DRAW_RANGE,
        metadata: job.metadata,
    })
}
