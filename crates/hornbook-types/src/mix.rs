//! Mixes: how much of which documents a corpus has.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::{
    MIX_EPOCHS, MIX_FILTER_VALUE_BYTES, MIX_FILTER_VALUES, MIX_SOURCES, MIX_TOKENS,
};
use crate::mix_preset::MixPreset;
use crate::{CorpusRow, FieldError, JobSeed, Slug};

/// Times that a document may be read before more of the same is worth clearly less than new text: up to here
/// repetition hardly changes the loss (Muennighoff et al. 2023, "Scaling Data-Constrained Language Models").
pub const EPOCHS_WITHOUT_LOSS: u32 = 4;

/// What a mixed corpus is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MixSpec {
    /// Shares by a published recipe; sources then have no weights of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<MixPreset>,
    /// Where documents come from. Of documents that repeat each other across sources, the best stays, of
    /// equals the one of the first source.
    pub sources: Vec<MixSource>,
    /// Tokens of the whole mix. Default: as many as the weights allow when no source is repeated more often than its
    /// `max_epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Key of which documents are drawn and of their order. Default 0.
    pub seed: JobSeed,
}

/// Documents of one place, and how much of them.
///
/// With neither `weight` nor `tokens`, all of them, `max_epochs` times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MixSource {
    /// What reports call it. Default: the import's name or the job's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A job, for its accepted documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Uuid>,
    /// An import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<Slug>,
    /// What kind of text it is; the preset `smollm` shares by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<SourceKind>,
    /// Its share of the mix's tokens, beside the other weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Its tokens, whatever the others have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Times that a document may stand in the corpus. Default 1; past 4 is warned of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_epochs: Option<u32>,
    /// Which of its documents count.
    #[serde(skip_serializing_if = "MixFilter::is_empty")]
    pub filter: MixFilter,
}

/// What kind of text a source is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Text of web pages that was filtered (FineWeb-Edu).
    Web,
    /// Text that models wrote (Cosmopedia v2, a job of this service).
    Synthetic,
    /// Programs (Python-Edu).
    Code,
    /// Mathematics (OpenWebMath).
    Math,
    /// Questions with answers (Stack Overflow).
    Questions,
}

impl SourceKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Synthetic => "synthetic",
            Self::Code => "code",
            Self::Math => "math",
            Self::Questions => "questions",
        }
    }
}

/// Which documents of a source count, by what their columns hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MixFilter {
    /// Columns that must hold one of the values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<FilterColumn, Vec<String>>,
    /// Columns that must hold none of the values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub except: BTreeMap<FilterColumn, Vec<String>>,
    /// Least score; documents without a score do not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_score: Option<f32>,
}

/// A column that a filter can ask.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FilterColumn {
    /// Whom the text is for.
    Audience,
    /// What kind of text it is.
    Format,
    /// Template, `name@version`.
    Template,
    /// Endpoint that answered.
    Endpoint,
    /// Model that wrote it.
    Model,
    /// Why it ends.
    FinishReason,
}

impl FilterColumn {
    /// What a row has there.
    pub fn of(self, row: &CorpusRow) -> &str {
        match self {
            Self::Audience => &row.audience,
            Self::Format => &row.format,
            Self::Template => &row.template,
            Self::Endpoint => &row.endpoint,
            Self::Model => &row.model,
            Self::FinishReason => &row.finish_reason,
        }
    }
}

impl MixFilter {
    /// Whether every document passes.
    pub fn is_empty(&self) -> bool {
        self.only.is_empty() && self.except.is_empty() && self.min_score.is_none()
    }

    /// Whether a document passes.
    pub fn takes(&self, row: &CorpusRow, score: Option<f32>) -> bool {
        let holds = |(column, values): (&FilterColumn, &Vec<String>)| {
            values.iter().any(|value| value == column.of(row))
        };
        self.only.iter().all(holds)
            && !self.except.iter().any(holds)
            && self.min_score.is_none_or(|least| score.is_some_and(|score| score >= least))
    }

    fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        for (name, columns) in [("only", &self.only), ("except", &self.except)] {
            for values in columns.values() {
                let fit = values.iter().all(|value| value.len() <= MIX_FILTER_VALUE_BYTES);
                if values.is_empty() || values.len() > MIX_FILTER_VALUES || !fit {
                    let detail = format!(
                        "a column needs 1 to {MIX_FILTER_VALUES} values of at most {MIX_FILTER_VALUE_BYTES} bytes"
                    );
                    faults.push(FieldError::new(format!("{at}/{name}"), detail));
                }
            }
        }
        if self.min_score.is_some_and(|least| !least.is_finite()) {
            faults.push(FieldError::new(format!("{at}/min_score"), "needs a number"));
        }
    }
}

/// One share of a mix, with everything that presets and defaults stand for written out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MixLine {
    /// What reports call it.
    pub name: String,
    /// Labels of the sources that it draws from.
    pub sources: Vec<String>,
    /// Which of their documents count; one that fits several lines belongs to the first of them.
    #[serde(default, skip_serializing_if = "MixFilter::is_empty")]
    pub filter: MixFilter,
    /// Its share of the tokens beside the other weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Times that a document may stand in the corpus.
    pub max_epochs: u32,
}

/// What became of a mix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MixReport {
    /// The preset that the lines come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<MixPreset>,
    /// Key of the draw and of the order.
    pub seed: JobSeed,
    /// Tokens that were to be had.
    pub wanted_tokens: u64,
    /// Tokens that are had.
    pub tokens: u64,
    /// What became of each line.
    pub lines: Vec<MixLineReport>,
    /// What a reader should know before training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What became of one line of a mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MixLineReport {
    /// What was asked for.
    pub asked: MixLine,
    /// Documents that fit it, when gates and deduplication had taken theirs.
    pub available_documents: u64,
    /// Their tokens.
    pub available_tokens: u64,
    /// Tokens that were to be had.
    pub wanted_tokens: u64,
    /// Tokens that are had; one document more or less than wanted unless there is a shortfall.
    pub tokens: u64,
    /// Different documents among them.
    pub documents: u64,
    /// Rows: documents with their repetitions.
    pub rows: u64,
    /// Tokens that are had by those that are available.
    pub epochs: f64,
    /// Tokens that were wanted and that `max_epochs` did not allow; nothing stands in their place.
    pub shortfall_tokens: u64,
}

impl MixSource {
    /// What reports call it.
    pub fn label(&self) -> String {
        match (&self.name, &self.import, &self.job) {
            (Some(name), ..) => name.clone(),
            (None, Some(import), _) => import.to_string(),
            (None, None, Some(job)) => job.to_string(),
            (None, None, None) => String::new(),
        }
    }

    fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        let mut wrong = |field: &str, detail: &str| {
            faults.push(FieldError::new(format!("{at}{field}"), detail));
        };
        if self.job.is_some() && self.import.is_some() {
            wrong("", "a source is a job or an import, not both");
        }
        let label = self.label();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !label.starts_with(|c: char| c.is_ascii_alphanumeric())
            || label.len() > crate::limits::SLUG_BYTES
            || !label.chars().all(plain)
        {
            wrong("/name", "needs 1 to 64 of letters, digits, '.', '_' and '-'");
        }
        if self.weight.is_some() && self.tokens.is_some() {
            wrong("/tokens", "give a weight or tokens, not both");
        }
        if self.weight.is_some_and(|weight| !(1e-6..=1e6).contains(&weight)) {
            wrong("/weight", "needs 0.000001 to 1000000");
        }
        if self.tokens.is_some_and(|tokens| !(1..=MIX_TOKENS).contains(&tokens)) {
            wrong("/tokens", &format!("needs 1 to {MIX_TOKENS}"));
        }
        if self.max_epochs.is_some_and(|epochs| !(1..=MIX_EPOCHS).contains(&epochs)) {
            wrong("/max_epochs", &format!("needs 1 to {MIX_EPOCHS}"));
        }
        self.filter.check(&format!("{at}/filter"), faults);
    }
}

impl MixSpec {
    /// Appends every fault to `faults`, with pointers below `at`.
    ///
    /// Whether a source needs a job, an import or a name that stands for files is for the caller to ask.
    pub fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        if !(1..=MIX_SOURCES).contains(&self.sources.len()) {
            let detail = format!("needs 1 to {MIX_SOURCES} sources");
            faults.push(FieldError::new(format!("{at}/sources"), detail));
        }
        let mut labels = BTreeSet::new();
        for (index, source) in self.sources.iter().enumerate() {
            let at = format!("{at}/sources/{index}");
            source.check(&at, faults);
            if !labels.insert(source.label()) {
                let detail = "two sources have this name";
                faults.push(FieldError::new(format!("{at}/name"), detail));
            }
            let has_share = source.weight.is_some() || source.tokens.is_some();
            if self.preset.is_some() && (has_share || !source.filter.is_empty()) {
                let detail = "a preset sets weights and filters by itself";
                faults.push(FieldError::new(at, detail));
            }
        }
        if self.tokens.is_some_and(|tokens| !(1..=MIX_TOKENS).contains(&tokens)) {
            let detail = format!("needs 1 to {MIX_TOKENS}");
            faults.push(FieldError::new(format!("{at}/tokens"), detail));
        }
        match self.preset {
            Some(preset) => preset.check(&self.sources, at, faults),
            None => {
                let weighted = self.sources.iter().any(|source| source.weight.is_some());
                if self.tokens.is_some() && !weighted {
                    let detail = "no source has a weight to share these tokens by";
                    faults.push(FieldError::new(format!("{at}/tokens"), detail));
                }
            }
        }
    }

    /// The same mix with its sources by name alone, without the ids of jobs: what a corpus is a function of.
    #[must_use]
    pub fn by_name(&self) -> Self {
        let named = |source: &MixSource| MixSource {
            name: Some(source.label()),
            // What a job writes is synthetic unless somebody says otherwise.
            kind: source.kind.or(source.job.map(|_| SourceKind::Synthetic)),
            job: None,
            import: None,
            ..source.clone()
        };
        Self { sources: self.sources.iter().map(named).collect(), ..self.clone() }
    }

    /// The shares that presets and defaults stand for, in the order in which documents are given to them.
    pub fn lines(&self) -> Vec<MixLine> {
        if let Some(preset) = self.preset {
            return preset.lines(&self.sources);
        }
        let line = |source: &MixSource| MixLine {
            name: source.label(),
            sources: vec![source.label()],
            filter: source.filter.clone(),
            weight: source.weight,
            tokens: source.tokens,
            max_epochs: source.max_epochs.unwrap_or(1),
        };
        self.sources.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(spec: &serde_json::Value) -> Vec<String> {
        let spec: MixSpec = serde_json::from_value(spec.clone()).unwrap();
        let mut faults = Vec::new();
        spec.check("", &mut faults);
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_source_has_one_share_and_one_name() {
        let good = serde_json::json!({"sources": [
            {"name": "web", "weight": 0.7}, {"import": "books", "tokens": 5}, {"name": "rest"}
        ]});
        assert_eq!(faults(&good), Vec::<String>::new());
        for (bad, pointer) in [
            (serde_json::json!({"sources": []}), "/sources"),
            (serde_json::json!({"sources": [{"weight": 1.0}]}), "/sources/0/name"),
            (serde_json::json!({"sources": [{"name": "../x"}]}), "/sources/0/name"),
            (serde_json::json!({"sources": [{"name": "a"}, {"name": "a"}]}), "/sources/1/name"),
            (
                serde_json::json!({"sources": [{"name": "a", "weight": 1, "tokens": 1}]}),
                "/sources/0/tokens",
            ),
            (serde_json::json!({"sources": [{"name": "a", "weight": 0}]}), "/sources/0/weight"),
            (
                serde_json::json!({"sources": [{"name": "a", "max_epochs": 0}]}),
                "/sources/0/max_epochs",
            ),
            (
                serde_json::json!({"sources": [{"name": "a", "filter": {"only": {"format": []}}}]}),
                "/sources/0/filter/only",
            ),
            (serde_json::json!({"tokens": 9, "sources": [{"name": "a", "tokens": 3}]}), "/tokens"),
            (
                serde_json::json!({"preset": "cosmopedia-v2", "sources": [{"name": "a", "weight": 1}]}),
                "/sources/0",
            ),
        ] {
            assert_eq!(faults(&bad), [pointer], "{bad}");
        }
    }

    #[test]
    fn a_mix_by_name_is_the_same_mix() {
        let json = serde_json::json!({"preset": "smollm", "sources": [
            {"name": "a", "job": Uuid::nil()}, {"import": "b", "kind": "web"}
        ]});
        let spec: MixSpec = serde_json::from_value(json).unwrap();
        let named = spec.by_name();
        assert_eq!(named.lines(), spec.lines());
        assert!(named.sources.iter().all(|it| it.job.is_none() && it.import.is_none()));
    }

    #[test]
    fn a_filter_asks_columns_and_score() {
        let row = CorpusRow { audience: "college".to_owned(), ..CorpusRow::default() };
        let filter = |json| serde_json::from_value::<MixFilter>(json).unwrap();
        let only = filter(serde_json::json!({"only": {"audience": ["toddler", "college"]}}));
        let except = filter(serde_json::json!({"except": {"audience": ["college"]}}));
        let scored = filter(serde_json::json!({"min_score": 3.0}));
        assert!(only.takes(&row, None) && !except.takes(&row, None));
        assert!(!scored.takes(&row, None) && scored.takes(&row, Some(3.0)));
        assert!(!scored.takes(&row, Some(2.5)));
    }
}
