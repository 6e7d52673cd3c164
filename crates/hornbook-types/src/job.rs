//! What a user submits, and what is stored of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::{
    BUDGET_USD, CANDIDATES_PER_ACCEPTED, ENDPOINTS_PER_JOB, JOB_NAME_CHARS, JOB_WEIGHT_MAX,
    JOB_WEIGHT_MIN, METADATA_KEYS, PROMPTS_PER_JOB, RECIPE_LINES,
};
use crate::{
    AssemblySpec, AudienceSpec, FieldError, GateSpec, Invalid, LOCAL_ENDPOINT, Pinned, Reference,
    Sampling, Slug, TemplateSpec,
};

/// A job as submitted: seeds x recipe, with how to sample, check and assemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Name shown to people.
    pub name: String,
    /// Where the input records come from.
    pub seeds: SeedSource,
    /// What to write from them, and in which shares.
    pub recipe: Vec<RecipeLine>,
    /// Number of prompts; absent: every seed with every recipe line once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    /// Number of accepted documents to reach instead, in the recipe's shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// Prompts to choose them from, in the recipe's shares; default three times `accepted`. What is
    /// not needed is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_candidates: Option<u64>,
    /// True gives every recipe line the same seeds, so that audiences can be compared.
    #[serde(default)]
    pub paired: bool,
    /// How tokens are drawn.
    #[serde(default)]
    pub sampling: Sampling,
    /// Endpoints that may serve it. Default `["local"]`.
    #[serde(default = "default_endpoints")]
    pub endpoints: Vec<Slug>,
    /// What it may cost.
    #[serde(default)]
    pub budget: Budget,
    /// Checks on each document.
    #[serde(default)]
    pub gates: GateSpec,
    /// How accepted documents become a corpus.
    #[serde(default)]
    pub assembly: AssemblySpec,
    /// Higher goes first. Default 0.
    #[serde(default)]
    pub priority: i32,
    /// Share of the prompts among jobs of the same priority, 0.001 to 1000. Default 1.
    #[serde(default = "default_weight")]
    pub weight: f64,
    /// The user's own labels.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

fn default_endpoints() -> Vec<Slug> {
    LOCAL_ENDPOINT.parse().into_iter().collect()
}

fn default_weight() -> f64 {
    1.0
}

fn is_default_weight(weight: &f64) -> bool {
    *weight == default_weight()
}

/// Where a job's input records come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum SeedSource {
    /// A seed set, `name` or `name@version`.
    SeedSet(Reference),
    /// Another job's accepted documents.
    Job {
        /// That job.
        job: Uuid,
    },
}

/// One line of a recipe: a template for an audience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeLine {
    /// Template, `name` or `name@version`.
    pub template: Reference,
    /// Audience, `name` or `name@version`.
    pub audience: Reference,
    /// Share of the documents; shares of a recipe are normalised to their sum. Default: equal shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// What a job may cost; an absent bound is no bound. What was in flight when it was spent is still paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Prompt and completion tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// US dollars, by the endpoints' prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Failed prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u64>,
    /// What happens when one of them is spent.
    pub then: BudgetEnd,
}

/// What happens to a job whose budget is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetEnd {
    /// It is paused, until the budget is raised and it is resumed.
    #[default]
    Pause,
    /// What was accepted becomes a partial corpus, and the job ends as `succeeded_with_errors`.
    Finish,
}

impl BudgetEnd {
    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Finish => "finish",
        }
    }

    /// The value of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pause, Self::Finish].into_iter().find(|end| end.as_str() == name)
    }
}

impl Budget {
    /// True when nothing bounds the job.
    pub fn is_unbounded(&self) -> bool {
        self.tokens.is_none() && self.usd.is_none() && self.failures.is_none()
    }

    /// Adds what is wrong with it to `faults`, below the pointer `at`.
    pub fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        for (name, bound) in [("tokens", self.tokens), ("failures", self.failures)] {
            if bound.is_some_and(|bound| bound == 0 || i64::try_from(bound).is_err()) {
                faults.push(FieldError::new(format!("{at}/{name}"), "must be at least 1"));
            }
        }
        if self.usd.is_some_and(|usd| !(usd > 0.0 && usd <= BUDGET_USD)) {
            let range = format!("must be more than 0 and at most {BUDGET_USD}");
            faults.push(FieldError::new(format!("{at}/usd"), range));
        }
    }
}

/// A job as stored: every reference pinned, and everything that a prompt is made from inside it.
///
/// Prompt `seq` is a pure function of this value and the pinned seed set's records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PinnedJobSpec {
    /// Name shown to people.
    pub name: String,
    /// The pinned seed set.
    pub seed_set: Pinned,
    /// How many records that version has.
    pub seeds: u64,
    /// The pinned recipe; line i is recipe line i as submitted.
    pub lines: Vec<PinnedLine>,
    /// Number of prompts; with quotas, the most that there may be.
    pub total: u64,
    /// True leaves the line out of the key that orders seeds.
    pub paired: bool,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Endpoints that may serve it.
    pub endpoints: Vec<Slug>,
    /// Checks on each document.
    pub gates: GateSpec,
    /// How accepted documents become a corpus.
    pub assembly: AssemblySpec,
    /// Higher goes first.
    pub priority: i32,
    /// Share of the prompts among jobs of the same priority; left out where it is 1.
    #[serde(default = "default_weight", skip_serializing_if = "is_default_weight")]
    pub weight: f64,
    /// The user's own labels.
    pub metadata: BTreeMap<String, String>,
}

/// One pinned line of a recipe, with the content it pins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PinnedLine {
    /// The pinned template.
    pub template: Pinned,
    /// The pinned audience.
    pub audience: Pinned,
    /// The line's number of prompts. Sums to `total`.
    pub prompts: u64,
    /// How many accepted documents it is to give, in a job that asks for those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<LineQuota>,
    /// The template's content at that version.
    pub template_spec: TemplateSpec,
    /// The audience's content at that version.
    pub audience_spec: AudienceSpec,
}

/// What a line of a job gives that asks for accepted documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LineQuota {
    /// Accepted documents: largest remainder of those asked for, by share.
    pub accepted: u64,
    /// The line's share in millionths, by which prompts interleave however many there will be.
    pub weight: u64,
}

impl PinnedJobSpec {
    /// How many accepted documents each line is to give; `None` for a job that asks for prompts.
    pub fn quotas(&self) -> Option<Vec<u64>> {
        self.lines.iter().map(|line| line.quota.map(|quota| quota.accepted)).collect()
    }
}

impl JobSpec {
    /// Prompts to choose accepted documents from.
    pub fn candidates(&self) -> Option<u64> {
        let wanted = self.accepted?;
        let default = wanted.saturating_mul(CANDIDATES_PER_ACCEPTED).min(PROMPTS_PER_JOB);
        Some(self.max_candidates.unwrap_or(default))
    }

    /// Checks everything that can be said without looking at stored things.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() || self.name.chars().count() > JOB_NAME_CHARS {
            faults
                .push(FieldError::new("/name", format!("needs 1 to {JOB_NAME_CHARS} characters")));
        }
        if matches!(self.seeds, SeedSource::Job { .. }) {
            faults.push(FieldError::not_supported("/seeds/job", "another job as seeds"));
        }
        self.check_recipe(&mut faults);
        self.check_amount(&mut faults);
        self.sampling.check("/sampling", &mut faults);
        self.gates.check("/gates", &mut faults);
        self.assembly.check("/assembly", &mut faults);
        self.check_endpoints(&mut faults);
        self.budget.check("/budget", &mut faults);
        if !(JOB_WEIGHT_MIN..=JOB_WEIGHT_MAX).contains(&self.weight) {
            let range = format!("needs {JOB_WEIGHT_MIN} to {JOB_WEIGHT_MAX}");
            faults.push(FieldError::new("/weight", range));
        }
        if self.metadata.len() > METADATA_KEYS {
            faults
                .push(FieldError::new("/metadata", format!("has more than {METADATA_KEYS} keys")));
        }
        Invalid::from_faults(faults)
    }

    fn check_recipe(&self, faults: &mut Vec<FieldError>) {
        if self.recipe.is_empty() || self.recipe.len() > RECIPE_LINES {
            faults.push(FieldError::new("/recipe", format!("needs 1 to {RECIPE_LINES} lines")));
        }
        for (index, line) in self.recipe.iter().enumerate() {
            if line.share.is_some_and(|share| !(share.is_finite() && share > 0.0)) {
                faults
                    .push(FieldError::new(format!("/recipe/{index}/share"), "must be more than 0"));
            }
            if line.share.is_some() != self.recipe[0].share.is_some() {
                faults.push(FieldError::new(
                    format!("/recipe/{index}/share"),
                    "give every line a share, or none",
                ));
            }
        }
    }

    fn check_amount(&self, faults: &mut Vec<FieldError>) {
        match (self.accepted, self.max_candidates) {
            (Some(count), _) if count == 0 || count > PROMPTS_PER_JOB => {
                faults.push(FieldError::new("/accepted", format!("needs 1 to {PROMPTS_PER_JOB}")));
            }
            (Some(_), _) if self.documents.is_some() => {
                faults.push(FieldError::new("/documents", "give documents or accepted, not both"));
            }
            (Some(count), Some(most)) if most < count || most > PROMPTS_PER_JOB => {
                let range = format!("needs {count} (accepted) to {PROMPTS_PER_JOB}");
                faults.push(FieldError::new("/max_candidates", range));
            }
            (None, Some(_)) => {
                faults.push(FieldError::new("/max_candidates", "has no meaning without accepted"));
            }
            _ => {}
        }
        match self.documents {
            Some(count) if count == 0 || count > PROMPTS_PER_JOB => {
                faults.push(FieldError::new("/documents", format!("needs 1 to {PROMPTS_PER_JOB}")))
            }
            None if self.accepted.is_none() => {
                for (index, line) in self.recipe.iter().enumerate() {
                    if line.share.is_some() {
                        faults.push(FieldError::new(
                            format!("/recipe/{index}/share"),
                            "a share needs documents or accepted",
                        ));
                    }
                }
            }
            _ => {}
        }
    }

    fn check_endpoints(&self, faults: &mut Vec<FieldError>) {
        if self.endpoints.is_empty() || self.endpoints.len() > ENDPOINTS_PER_JOB {
            faults.push(FieldError::new("/endpoints", format!("needs 1 to {ENDPOINTS_PER_JOB}")));
        }
        let mut seen = BTreeSet::new();
        for (index, name) in self.endpoints.iter().enumerate() {
            if !seen.insert(name) {
                faults.push(FieldError::new(format!("/endpoints/{index}"), "is named twice"));
            }
        }
    }
}
