//! How much text a model needs: tokens, epochs and documents for a size and a budget.
//!
//! Pure arithmetic over published figures, each named where it stands.

use serde::{Deserialize, Serialize};

use crate::mix::EPOCHS_WITHOUT_LOSS;
use crate::{FieldError, Invalid};

/// Tokens per parameter that spend a compute budget best (Hoffmann et al. 2022, "Training Compute-Optimal Large
/// Language Models").
const CHINCHILLA_TOKENS_PER_PARAMETER: u64 = 20;
/// Floating-point operations per parameter and token of training, forward and backward (Kaplan et al. 2020, "Scaling
/// Laws for Neural Language Models").
const FLOPS_PER_PARAMETER_TOKEN: f64 = 6.0;
/// Repetitions at which repeated tokens are worth 1 - 1/e of new ones on average (Muennighoff et al. 2023, appendix A).
const REPETITIONS_HALF_WORTH: f64 = 15.387_756;
/// Tokens of a document: 28 billion in 39 million documents of Cosmopedia v2.
const TOKENS_PER_DOCUMENT: u32 = 718;
/// Tokens that SmolLM's models were trained on, by their parameters.
const SMOLLM: [(u64, u64); 3] = [
    (135_000_000, 600_000_000_000),
    (360_000_000, 600_000_000_000),
    (1_700_000_000, 1_000_000_000_000),
];

/// Models that one plan may have.
const MODELS: usize = 16;
/// Least and most parameters of a model.
const PARAMETERS: std::ops::RangeInclusive<f64> = 1e6..=1e13;
/// Most tokens of a budget.
const TOKENS: u64 = 1_000_000_000_000_000_000;
/// Least and most operations of a budget.
const FLOPS: std::ops::RangeInclusive<f64> = 1e12..=1e30;
/// Most times that a plan may read a document.
const EPOCHS: u32 = 1_000;

/// What is to be planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct PlanRequest {
    /// Sizes in parameters, with commas: `135M,360M,1.7B`. Default: these three.
    pub models: String,
    /// Tokens to train on, repetitions counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Floating-point operations to train with, in place of `tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
    /// Different tokens that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_tokens: Option<u64>,
    /// Tokens of a document. Default 718, the mean of Cosmopedia v2.
    pub tokens_per_document: u32,
    /// Times that a document may be read. Default 4, up to where repetition hardly costs anything.
    pub max_epochs: u32,
}

impl Default for PlanRequest {
    fn default() -> Self {
        Self {
            models: "135M,360M,1.7B".to_owned(),
            tokens: None,
            flops: None,
            available_tokens: None,
            tokens_per_document: TOKENS_PER_DOCUMENT,
            max_epochs: EPOCHS_WITHOUT_LOSS,
        }
    }
}

/// What a model needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// By model, in the order asked for, and goal.
    pub rows: Vec<PlanRow>,
    /// Times that a document may be read.
    pub max_epochs: u32,
    /// Tokens of a document.
    pub tokens_per_document: u32,
    /// Where every figure comes from.
    pub sources: Vec<String>,
}

/// What one model needs for one goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanRow {
    /// The size as it was written.
    pub model: String,
    /// Parameters.
    pub parameters: u64,
    /// What decides the tokens.
    pub goal: PlanGoal,
    /// Tokens to train on, repetitions counted.
    pub tokens: u64,
    /// Floating-point operations that this takes.
    pub flops: f64,
    /// Tokens per parameter; 20 spend a compute budget best, more make a better model of that size.
    pub tokens_per_parameter: f64,
    /// Documents, if each is read once.
    pub documents: u64,
    /// Different tokens that do, if each is read `max_epochs` times.
    pub least_tokens: u64,
    /// Different documents that do, if each is read `max_epochs` times.
    pub least_documents: u64,
    /// What that means for the tokens that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<PlanAvailable>,
    /// What to think of before training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What decides how many tokens a model is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanGoal {
    /// The budget that was given.
    Budget,
    /// 20 tokens per parameter.
    Chinchilla,
    /// What SmolLM's model of that size was trained on.
    Smollm,
}

impl PlanGoal {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Chinchilla => "chinchilla",
            Self::Smollm => "smollm",
        }
    }
}

/// A goal held against the tokens that there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanAvailable {
    /// Times that each token is read.
    pub epochs: f64,
    /// New tokens that would teach as much (Muennighoff et al. 2023, equation of the effective data).
    pub effective_tokens: u64,
    /// Different tokens that are missing if none is to be read more than `max_epochs` times.
    pub missing_tokens: u64,
    /// Documents to write for them.
    pub missing_documents: u64,
}

/// Plans every model and goal; pointers of faults are the request's fields.
pub fn plan(request: &PlanRequest) -> Result<Plan, Invalid> {
    let models = check(request)?;
    let mut rows = Vec::new();
    for (model, parameters) in models {
        let budget = request.tokens.or_else(|| {
            let per_token = FLOPS_PER_PARAMETER_TOKEN * parameters as f64;
            request.flops.map(|flops| (flops / per_token) as u64)
        });
        let mut add = |goal, tokens| rows.push(row(request, &model, parameters, goal, tokens));
        if let Some(tokens) = budget {
            add(PlanGoal::Budget, tokens);
            continue;
        }
        add(PlanGoal::Chinchilla, parameters * CHINCHILLA_TOKENS_PER_PARAMETER);
        if let Some((_, tokens)) = SMOLLM.iter().find(|(size, _)| *size == parameters) {
            add(PlanGoal::Smollm, *tokens);
        }
    }
    Ok(Plan {
        rows,
        max_epochs: request.max_epochs,
        tokens_per_document: request.tokens_per_document,
        sources: SOURCES.map(str::to_owned).into(),
    })
}

/// Where the figures come from.
const SOURCES: [&str; 5] = [
    "20 tokens per parameter: Hoffmann et al. 2022, Training Compute-Optimal Large Language Models (arXiv:2203.15556)",
    "6 operations per parameter and token: Kaplan et al. 2020, Scaling Laws for Neural Language Models (arXiv:2001.08361)",
    "4 epochs and effective tokens: Muennighoff et al. 2023, Scaling Data-Constrained Language Models (arXiv:2305.16264)",
    "600 B, 600 B and 1 T tokens: SmolLM's announcement, July 2024",
    "718 tokens per document: 28 B tokens in 39 M documents of Cosmopedia v2, same announcement",
];

fn row(
    request: &PlanRequest,
    model: &str,
    parameters: u64,
    goal: PlanGoal,
    tokens: u64,
) -> PlanRow {
    let per_document = u64::from(request.tokens_per_document);
    let least_tokens = tokens.div_ceil(u64::from(request.max_epochs));
    let tokens_per_parameter = tokens as f64 / parameters as f64;
    let mut warnings = Vec::new();
    if tokens < parameters * CHINCHILLA_TOKENS_PER_PARAMETER {
        warnings.push(format!(
            "{tokens_per_parameter:.1} tokens per parameter: a smaller model would make more of the same compute \
             (Hoffmann et al. 2022)"
        ));
    }
    let available = request.available_tokens.map(|there| {
        let available = held_against(tokens, there, least_tokens, per_document);
        if available.epochs > f64::from(EPOCHS_WITHOUT_LOSS) {
            warnings.push(format!(
                "{:.1} epochs: past {EPOCHS_WITHOUT_LOSS}, repeated text is worth clearly less than new text \
                 (Muennighoff et al. 2023)",
                available.epochs
            ));
        }
        available
    });
    PlanRow {
        model: model.to_owned(),
        parameters,
        goal,
        tokens,
        flops: FLOPS_PER_PARAMETER_TOKEN * parameters as f64 * tokens as f64,
        tokens_per_parameter,
        documents: tokens.div_ceil(per_document),
        least_tokens,
        least_documents: least_tokens.div_ceil(per_document),
        available,
        warnings,
    }
}

fn held_against(tokens: u64, there: u64, least: u64, per_document: u64) -> PlanAvailable {
    let used = tokens.min(there) as f64;
    let repetitions = tokens as f64 / used - 1.0;
    let worth = REPETITIONS_HALF_WORTH * (1.0 - (-repetitions / REPETITIONS_HALF_WORTH).exp());
    let missing_tokens = least.saturating_sub(there);
    PlanAvailable {
        epochs: tokens as f64 / there as f64,
        effective_tokens: (used + used * worth).round() as u64,
        missing_tokens,
        missing_documents: missing_tokens.div_ceil(per_document),
    }
}

fn check(request: &PlanRequest) -> Result<Vec<(String, u64)>, Invalid> {
    let mut faults = Vec::new();
    let mut wrong = |pointer: &str, detail: String| faults.push(FieldError::new(pointer, detail));
    let mut models = Vec::new();
    for name in request.models.split(',').map(str::trim).take(MODELS + 1) {
        match parameters_of(name) {
            Some(parameters) => models.push((name.to_owned(), parameters)),
            None => wrong(
                "/models",
                "a size is a number with M, B or T, from 1M to 10T, such as 135M or 1.7B"
                    .to_owned(),
            ),
        }
    }
    if models.len() > MODELS {
        wrong("/models", format!("at most {MODELS} sizes"));
    }
    if request.tokens.is_some() && request.flops.is_some() {
        wrong("/flops", "give tokens or flops, not both".to_owned());
    }
    for (pointer, tokens) in
        [("/tokens", request.tokens), ("/available_tokens", request.available_tokens)]
    {
        if tokens.is_some_and(|tokens| !(1..=TOKENS).contains(&tokens)) {
            wrong(pointer, format!("needs 1 to {TOKENS}"));
        }
    }
    if request.flops.is_some_and(|flops| !FLOPS.contains(&flops)) {
        wrong("/flops", "needs 1e12 to 1e30".to_owned());
    }
    if request.tokens_per_document == 0 {
        wrong("/tokens_per_document", "needs at least 1".to_owned());
    }
    if !(1..=EPOCHS).contains(&request.max_epochs) {
        wrong("/max_epochs", format!("needs 1 to {EPOCHS}"));
    }
    Invalid::from_faults(faults)?;
    Ok(models)
}

/// `135M`, `1.7B`, `2T` or a plain number.
fn parameters_of(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 1.0,
        "M" => 1e6,
        "B" => 1e9,
        "T" => 1e12,
        _ => return None,
    };
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number: f64 = if plain { digits.parse().ok()? } else { return None };
    let parameters = (number * scale).round();
    PARAMETERS.contains(&parameters).then_some(parameters as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_budget_both_published_goals_are_told() {
        let rows = plan(&PlanRequest::default()).unwrap().rows;
        let told: Vec<_> =
            rows.iter().map(|row| (row.model.as_str(), row.goal, row.tokens)).collect();
        use PlanGoal::{Chinchilla, Smollm};
        let expected = [
            ("135M", Chinchilla, 2_700_000_000),
            ("135M", Smollm, 600_000_000_000),
            ("360M", Chinchilla, 7_200_000_000),
            ("360M", Smollm, 600_000_000_000),
            ("1.7B", Chinchilla, 34_000_000_000),
            ("1.7B", Smollm, 1_000_000_000_000),
        ];
        assert_eq!(told, expected);
        assert_eq!(rows[0].documents, 3_760_446);
        assert_eq!((rows[0].least_tokens, rows[0].least_documents), (675_000_000, 940_112));
        assert!((rows[0].flops - 2.187e18).abs() < 1e12);
        assert!(rows.iter().all(|row| row.available.is_none() && row.warnings.is_empty()));
    }

    #[test]
    fn compute_becomes_tokens_by_the_size() {
        let request = PlanRequest { flops: Some(1e20), ..PlanRequest::default() };
        let rows = plan(&request).unwrap().rows;
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].tokens, 123_456_790_123);
        assert_eq!(rows[2].tokens, 9_803_921_568);
        assert!(rows[0].warnings.is_empty());
        assert!(rows[2].warnings[0].starts_with("5.8 tokens per parameter"), "{rows:?}");
    }

    #[test]
    fn repetition_is_worth_less_and_less() {
        let asked = |tokens, there| {
            let request = PlanRequest {
                models: "10M".to_owned(),
                tokens: Some(tokens),
                available_tokens: Some(there),
                ..PlanRequest::default()
            };
            plan(&request).unwrap().rows.remove(0)
        };
        let enough = asked(1_000_000_000, 4_000_000_000).available.unwrap();
        assert_eq!((enough.effective_tokens, enough.missing_tokens), (1_000_000_000, 0));
        assert!((enough.epochs - 0.25).abs() < 1e-9);
        // Four epochs: 93 % of four times as much new text.
        let four = asked(4_000_000_000, 1_000_000_000);
        assert!(four.warnings.is_empty());
        let four = four.available.unwrap();
        assert_eq!((four.missing_tokens, four.effective_tokens / 10_000_000), (0, 372));
        let many = asked(100_000_000_000, 1_000_000_000);
        assert!(many.warnings[0].starts_with("100.0 epochs"), "{many:?}");
        let many = many.available.unwrap();
        assert!(many.effective_tokens < 17_000_000_000, "{many:?}");
        assert_eq!((many.missing_tokens, many.missing_documents), (24_000_000_000, 33_426_184));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (request, pointer) in [
            (PlanRequest { models: "huge".to_owned(), ..PlanRequest::default() }, "/models"),
            (PlanRequest { models: "1e3M".to_owned(), ..PlanRequest::default() }, "/models"),
            (PlanRequest { models: "-5M".to_owned(), ..PlanRequest::default() }, "/models"),
            (PlanRequest { models: "1.5µ".to_owned(), ..PlanRequest::default() }, "/models"),
            (PlanRequest { models: "1M,".repeat(20) + "1M", ..PlanRequest::default() }, "/models"),
            (PlanRequest { tokens: Some(0), ..PlanRequest::default() }, "/tokens"),
            (PlanRequest { flops: Some(f64::NAN), ..PlanRequest::default() }, "/flops"),
            (
                PlanRequest { tokens: Some(1), flops: Some(1e15), ..PlanRequest::default() },
                "/flops",
            ),
            (
                PlanRequest { available_tokens: Some(0), ..PlanRequest::default() },
                "/available_tokens",
            ),
            (
                PlanRequest { tokens_per_document: 0, ..PlanRequest::default() },
                "/tokens_per_document",
            ),
            (PlanRequest { max_epochs: 0, ..PlanRequest::default() }, "/max_epochs"),
        ] {
            let Invalid(faults) = plan(&request).unwrap_err();
            assert_eq!(faults[0].pointer, pointer, "{request:?}");
        }
    }
}
