//! How an answer is drawn: OpenAI's fields, and those that clients of vLLM know.

use std::collections::BTreeMap;

use hornbook_types::Sampling;
use serde_json::Value;

use super::fault::Fault;
use super::fields::{Fields, number};
use super::limits::CHOICES;

/// What both kinds of completion have in common.
pub(super) struct Drawing {
    pub(super) sampling: Sampling,
    /// The first answer's seed; the i-th draws with this plus i.
    pub(super) seed: Option<u64>,
    /// Answers to each prompt.
    pub(super) n: usize,
    pub(super) stream: bool,
    /// True when a stream ends with a chunk of usage.
    pub(super) include_usage: bool,
}

impl Drawing {
    /// Takes the fields that say how to draw; what is absent is as OpenAI has it, not as jobs do.
    pub(super) fn take(fields: &mut Fields, max_tokens_default: u32) -> Result<Self, Fault> {
        let plain = Sampling {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            repetition_penalty: 1.0,
            stop_loops: false,
            ..Sampling::default()
        };
        let sampling = Sampling {
            temperature: fields.number("temperature")?.unwrap_or(plain.temperature),
            top_p: fields.number("top_p")?.unwrap_or(plain.top_p),
            top_k: top_k(fields)?,
            min_p: fields.number("min_p")?.unwrap_or(plain.min_p),
            repetition_penalty: fields
                .number("repetition_penalty")?
                .unwrap_or(plain.repetition_penalty),
            frequency_penalty: fields
                .number("frequency_penalty")?
                .unwrap_or(plain.frequency_penalty),
            presence_penalty: fields.number("presence_penalty")?.unwrap_or(plain.presence_penalty),
            max_tokens: max_tokens(fields)?.unwrap_or(max_tokens_default),
            min_tokens: fields.count("min_tokens")?.unwrap_or(plain.min_tokens),
            stop: stop(fields)?,
            logit_bias: logit_bias(fields)?,
            stop_loops: fields.flag("stop_loops")?,
            ..plain
        };
        let mut faults = Vec::new();
        sampling.check("", &mut faults);
        if let Some(fault) = faults.into_iter().next() {
            return Err(Fault::value(fault.pointer.trim_start_matches('/'), fault.detail));
        }
        let stream = fields.flag("stream")?;
        Ok(Self {
            sampling,
            seed: seed(fields)?,
            n: choices(fields)?,
            include_usage: include_usage(fields, stream)?,
            stream,
        })
    }
}

/// vLLM's -1 and everybody's 0 mean that it is off.
fn top_k(fields: &mut Fields) -> Result<u32, Fault> {
    match fields.value("top_k") {
        None => Ok(0),
        Some(value) if value.as_i64() == Some(-1) => Ok(0),
        Some(value) => value
            .as_u64()
            .and_then(|k| u32::try_from(k).ok())
            .ok_or_else(|| Fault::value("top_k", "must be a whole number, or -1 for all")),
    }
}

/// OpenAI renamed the field; clients send either.
fn max_tokens(fields: &mut Fields) -> Result<Option<u32>, Fault> {
    let (old, new) = (fields.count("max_tokens")?, fields.count("max_completion_tokens")?);
    match (old, new) {
        (Some(old), Some(new)) if old != new => {
            Err(Fault::value("max_tokens", "says something else than max_completion_tokens"))
        }
        (old, new) => Ok(new.or(old)),
    }
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Fault> {
    let fault = || Fault::value("stop", "must be a string or a list of strings");
    match fields.value("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop]),
        Some(Value::Array(stops)) => stops
            .into_iter()
            .map(|stop| match stop {
                Value::String(stop) => Ok(stop),
                _ => Err(fault()),
            })
            .collect(),
        Some(_) => Err(fault()),
    }
}

fn logit_bias(fields: &mut Fields) -> Result<BTreeMap<u32, f32>, Fault> {
    let Some(value) = fields.value("logit_bias") else { return Ok(BTreeMap::new()) };
    let Value::Object(biases) = value else {
        return Err(Fault::value("logit_bias", "must be an object of token numbers"));
    };
    biases
        .iter()
        .map(|(token, bias)| {
            let token = token
                .parse()
                .map_err(|_| Fault::value("logit_bias", "its names must be token numbers"))?;
            Ok((token, number("logit_bias", bias)?))
        })
        .collect()
}

/// Any 64-bit integer; a negative one stands for its bits.
fn seed(fields: &mut Fields) -> Result<Option<u64>, Fault> {
    let Some(value) = fields.value("seed") else { return Ok(None) };
    let seed = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    seed.map(Some).ok_or_else(|| Fault::value("seed", "must be an integer of 64 bits"))
}

fn choices(fields: &mut Fields) -> Result<usize, Fault> {
    let n = fields.count("n")?.map_or(1, |n| n as usize);
    if (1..=CHOICES).contains(&n) {
        return Ok(n);
    }
    Err(Fault::value("n", format!("must be 1 to {CHOICES}")))
}

fn include_usage(fields: &mut Fields, stream: bool) -> Result<bool, Fault> {
    const NAME: &str = "stream_options";
    let mut options = match fields.value(NAME) {
        None => return Ok(false),
        Some(_) if !stream => {
            return Err(Fault::value(NAME, "goes with stream: true only"));
        }
        Some(Value::Object(options)) => Fields::of(options),
        Some(_) => return Err(Fault::value(NAME, "must be an object")),
    };
    let include_usage = options.flag("include_usage")?;
    // Padding against eavesdroppers on a network that the client may leave out.
    if options.flag("include_obfuscation")? {
        return Err(Fault::unsupported("stream_options.include_obfuscation", "nothing is padded"));
    }
    match options.left().next() {
        None => Ok(include_usage),
        Some(name) => Err(Fault::unknown(&format!("{NAME}.{name}"))),
    }
}
