//! `/v1/templates`: what prompts are made from.

mod diff;
mod get;
mod lines;
mod list;
mod put;
mod render;
mod trial;
mod versions;

use std::collections::BTreeSet;

use hornbook_db::templates::Template;
use hornbook_prompt::{Finding, SeedFields};
use hornbook_types::{Pinned, Slug, TemplateSpec};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

pub(crate) use lines::{LineChange, diff_lines};

/// The operations of this resource.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_templates))
        .routes(routes!(get::get_template, put::put_template))
        .routes(routes!(versions::list_template_versions))
        .routes(routes!(diff::diff_template))
        .routes(routes!(render::render_template))
}

/// One version of a template.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Template)]
pub(crate) struct TemplateView {
    /// Name.
    slug: Slug,
    /// Version, from 1.
    version: u32,
    /// `name@version`.
    reference: Pinned,
    /// `builtin` or `user`.
    origin: &'static str,
    /// When this version was stored.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// The content.
    #[serde(flatten)]
    spec: TemplateSpec,
    /// The seed fields that it reads; only where one template is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_fields: Option<SeedFieldsView>,
    /// What could be better; only in the reply to a write.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<Warning>>,
}

/// The seed fields that a template reads.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SeedFields)]
pub(crate) struct SeedFieldsView {
    /// Every seed must have these.
    required: BTreeSet<String>,
    /// It can do without these.
    optional: BTreeSet<String>,
}

/// Something about a template that could be better.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TemplateWarning)]
pub(crate) struct Warning {
    /// Line of the body, from 1.
    line: usize,
    /// What and why.
    message: String,
}

impl From<Finding> for Warning {
    fn from(finding: Finding) -> Self {
        Self { line: finding.line, message: finding.message }
    }
}

impl From<&SeedFields> for SeedFieldsView {
    fn from(fields: &SeedFields) -> Self {
        Self { required: fields.required.clone(), optional: fields.optional.clone() }
    }
}

impl From<Template> for TemplateView {
    fn from(template: Template) -> Self {
        Self {
            slug: template.pinned.slug.clone(),
            version: template.pinned.version,
            reference: template.pinned,
            origin: super::version::origin(template.origin),
            created_at: template.created_at,
            spec: template.spec,
            seed_fields: None,
            warnings: None,
        }
    }
}
