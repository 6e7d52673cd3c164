//! What a job would cost, from a sample of its prompts; nothing is stored.

use std::collections::BTreeMap;

use hornbook_db::{endpoints, seeds};
use hornbook_prompt::{Prompter, estimate_tokens};
use hornbook_types::{
    EndpointLimits, EndpointPrice, JobSpec, PinnedJobSpec, PinnedLine, SeedRecord, Slug,
};
use serde::Serialize;

use super::create::pinned;
use crate::{AppState, Problem};

/// Prompts that are rendered, spread evenly over the job.
const SAMPLES: u64 = 64;
/// Rendered prompts that are shown.
const SHOWN: usize = 3;
/// Requests under way at once at an endpoint that names no limit.
const IN_FLIGHT: u32 = 16;
/// Tokens per second of one request, where nothing but its slots bounds an endpoint.
const TOKENS_PER_SECOND: f64 = 50.0;

/// What a job would cost.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct DryRun {
    /// Prompts; for a job that asks for accepted documents, as if every document were accepted.
    prompts: u64,
    /// Tokens of those prompts.
    prompt_tokens: u64,
    /// Tokens of their answers.
    completion_tokens: u64,
    /// Dollars, when endpoints share the prompts by their speed.
    usd: f64,
    /// Seconds until the last answer, all endpoints working together.
    duration_seconds: u64,
    /// What each endpoint would do.
    endpoints: Vec<EndpointShare>,
    /// Every prompt sent and as long as the longest of the sample, every answer `max_tokens` long, the
    /// dearest endpoint. No bound: a prompt outside of the sample may be longer, and what is sent again
    /// costs again. `budget` is what a job cannot go beyond.
    worst_sampled: WorstSampled,
    /// A few prompts of the sample.
    samples: Vec<SamplePrompt>,
    /// Prompts of the sample that cannot be rendered.
    render_failures: u64,
    /// Why the first of those cannot.
    render_failure: Option<String>,
    /// What all this rests on.
    assumptions: Vec<String>,
}

/// What an endpoint would do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct EndpointShare {
    /// Endpoint, by name.
    #[schema(value_type = String)]
    name: Slug,
    /// Prompts that it would answer.
    prompts: u64,
    /// Dollars for those.
    usd: f64,
    /// Dollars if it answered all of them.
    usd_alone: f64,
    /// Prompts that it could answer in a second.
    prompts_per_second: f64,
}

/// What a job uses if all of it is like the worst of the sample.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct WorstSampled {
    /// Prompts.
    prompts: u64,
    /// Tokens of prompts.
    prompt_tokens: u64,
    /// Tokens of answers.
    completion_tokens: u64,
    /// Dollars.
    usd: f64,
}

/// A rendered prompt.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SamplePrompt {
    /// Number of the prompt within the job.
    seq: u64,
    /// Template, `name@version`.
    template: String,
    /// Audience, `name@version`.
    audience: String,
    /// The prompt.
    prompt: String,
    /// About how many tokens it has.
    tokens_estimate: u64,
}

/// Predicts what `spec` would cost.
pub(super) async fn dry_run(state: &AppState, spec: JobSpec) -> Result<DryRun, Problem> {
    let spec = pinned(state, spec).await?;
    let mut priced = Vec::new();
    for name in &spec.endpoints {
        let endpoint = endpoints::get(&state.db, name).await?;
        priced.push((name.clone(), endpoint.spec.limits, endpoint.spec.price));
    }
    let sampled = sample(state, spec.clone()).await?;
    Ok(predict(&spec, &priced, sampled))
}

/// The rendered prompts of a sample.
struct Sampled {
    prompts: Vec<SamplePrompt>,
    failures: u64,
    failure: Option<String>,
}

async fn sample(state: &AppState, spec: PinnedJobSpec) -> Result<Sampled, Problem> {
    let (seed_set, total) = (spec.seed_set.clone(), spec.total);
    let prompter = state.render.run(move || Prompter::new(&spec)).await??;
    let count = total.min(SAMPLES);
    let planned: Vec<_> = (0..count)
        .map(|index| {
            let seq = u128::from(index) * u128::from(total) / u128::from(count);
            prompter.plan().at(u64::try_from(seq).unwrap_or(0))
        })
        .collect();
    let mut numbers: Vec<u64> = planned.iter().map(|planned| planned.seed_seq).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let found = seeds::by_seqs(&state.db, &seed_set, &numbers).await?;
    let found: BTreeMap<u64, SeedRecord> = found.into_iter().map(|seed| (seed.seq, seed)).collect();
    let render = move || {
        let mut sampled = Sampled { prompts: Vec::new(), failures: 0, failure: None };
        for planned in planned {
            let Some((seed, line)) = found.get(&planned.seed_seq).zip(prompter.line(planned.line))
            else {
                continue;
            };
            match prompter.prompt(planned.seq, seed) {
                Ok(prompt) => sampled.prompts.push(SamplePrompt {
                    seq: planned.seq,
                    template: line.template.to_string(),
                    audience: line.audience.to_string(),
                    tokens_estimate: estimate_tokens(&prompt),
                    prompt,
                }),
                Err(error) => {
                    sampled.failures += 1;
                    sampled.failure.get_or_insert(error.to_string());
                }
            }
        }
        sampled
    };
    state.render.run(render).await
}

/// Tokens that an answer of this line is expected to have: what its audience is told to be given.
fn answer_tokens(line: &PinnedLine, max_tokens: u32) -> f64 {
    let target = &line.audience_spec.tokens;
    (f64::from(target.min) + f64::from(target.max)).min(2.0 * f64::from(max_tokens)) / 2.0
}

/// Prompts per second that an endpoint's limits allow.
fn speed(limits: &EndpointLimits, tokens_each: f64, answer_each: f64) -> f64 {
    let slots = f64::from(limits.in_flight.unwrap_or(IN_FLIGHT));
    let by_slots = slots * TOKENS_PER_SECOND / answer_each.max(1.0);
    let per_second = |minute: u32| f64::from(minute) / 60.0;
    let by_requests = limits.requests_per_minute.map_or(f64::INFINITY, per_second);
    let by_tokens = limits
        .tokens_per_minute
        .map_or(f64::INFINITY, |limit| per_second(limit) / tokens_each.max(1.0));
    by_slots.min(by_requests).min(by_tokens)
}

fn predict(
    spec: &PinnedJobSpec,
    endpoints: &[(Slug, EndpointLimits, EndpointPrice)],
    sampled: Sampled,
) -> DryRun {
    let max_tokens = spec.sampling.max_tokens;
    // By line: prompts that are expected, and tokens of each answer.
    let expected = |line: &PinnedLine| line.quota.map_or(line.prompts, |quota| quota.accepted);
    let prompts: u64 = spec.lines.iter().map(expected).sum();
    let completion: f64 =
        spec.lines.iter().map(|line| expected(line) as f64 * answer_tokens(line, max_tokens)).sum();
    let answer_each = completion / prompts.max(1) as f64;
    let sizes = sampled.prompts.iter().map(|prompt| prompt.tokens_estimate);
    let (sum, largest) = (sizes.clone().sum::<u64>(), sizes.max().unwrap_or(0));
    let prompt_each = sum as f64 / sampled.prompts.len().max(1) as f64;
    let cost = |price: &EndpointPrice, prompt: f64, answer: f64| {
        (prompt * price.input_per_million + answer * price.output_per_million) / 1e6
    };
    let speeds: Vec<f64> = endpoints
        .iter()
        .map(|(_, limits, _)| speed(limits, prompt_each + answer_each, answer_each))
        .collect();
    let together: f64 = speeds.iter().sum();
    let shares: Vec<EndpointShare> = endpoints
        .iter()
        .zip(&speeds)
        .map(|((name, _, price), &speed)| {
            let alone = cost(price, prompt_each, answer_each) * prompts as f64;
            let share = if together > 0.0 { speed / together } else { 0.0 };
            EndpointShare {
                name: name.clone(),
                prompts: (prompts as f64 * share).round() as u64,
                usd: alone * share,
                usd_alone: alone,
                prompts_per_second: speed,
            }
        })
        .collect();
    let worst = WorstSampled {
        prompts: spec.total,
        prompt_tokens: largest.saturating_mul(spec.total),
        completion_tokens: u64::from(max_tokens).saturating_mul(spec.total),
        usd: endpoints
            .iter()
            .map(|(_, _, price)| cost(price, largest as f64, f64::from(max_tokens)))
            .fold(0.0, f64::max)
            * spec.total as f64,
    };
    DryRun {
        prompts,
        prompt_tokens: (prompt_each * prompts as f64).round() as u64,
        completion_tokens: completion.round() as u64,
        usd: shares.iter().map(|share| share.usd).sum(),
        duration_seconds: if together > 0.0 {
            (prompts as f64 / together).ceil() as u64
        } else {
            0
        },
        endpoints: shares,
        worst_sampled: worst,
        assumptions: assumptions(spec, &sampled),
        samples: shown(&sampled.prompts),
        render_failures: sampled.failures,
        render_failure: sampled.failure,
    }
}

/// The first, the middle and the last of the sample.
fn shown(prompts: &[SamplePrompt]) -> Vec<SamplePrompt> {
    match prompts.len() {
        count if count <= SHOWN => prompts.to_vec(),
        count => [0, count / 2, count - 1].map(|index| prompts[index].clone()).to_vec(),
    }
}

fn assumptions(spec: &PinnedJobSpec, sampled: &Sampled) -> Vec<String> {
    let mut said = vec![
        format!(
            "prompts are as long as {} of them, spread evenly over the job, are on average; four bytes are a token",
            sampled.prompts.len()
        ),
        format!(
            "an answer has as many tokens as the middle of what its audience asks for, and at most max_tokens ({})",
            spec.sampling.max_tokens
        ),
        format!(
            "an endpoint writes {TOKENS_PER_SECOND} tokens/s for each request that it has in flight \
             ({IN_FLIGHT} where it names no limit), within its limits per minute"
        ),
        "no prompt is sent twice, and no endpoint pauses".to_owned(),
    ];
    if spec.quotas().is_some() {
        said.push(
            "every document is accepted; worst_sampled has all prompts that may be sent".to_owned(),
        );
    }
    said
}
