//! A model's sizes and ways, from `config.json` and the files of sentence-transformers beside it.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::EmbeddingLoadError as Error;
use super::files;
use super::pooling::Pooling;

const CONFIG: &str = "config.json";
const SENTENCES: &str = "sentence_bert_config.json";
const MODULES: &str = "modules.json";
const POOLING_DIRECTORY: &str = "1_Pooling";
const POOLING: &str = "1_Pooling/config.json";

const LAYERS_MAX: u64 = 64;
const HIDDEN_MAX: u64 = 4_096;
const HEADS_MAX: u64 = 64;
const FEED_FORWARD_MAX: u64 = 16_384;
/// Bounds what one text takes: time grows with the square of its length.
const POSITIONS_MAX: u64 = 8_192;
const VOCABULARY_MAX: u64 = 1_000_000;
/// Two marks and one token between them.
const TOKENS_MIN: u64 = 3;

/// The sizes that the encoder computes with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) layers: usize,
    /// Numbers that stand for one token; also the length of a text's vector.
    pub(super) hidden: usize,
    pub(super) heads: usize,
    pub(super) feed_forward: usize,
    pub(super) positions: usize,
    pub(super) token_types: usize,
    pub(super) vocabulary: usize,
    pub(super) norm_epsilon: f64,
    /// Longest text in tokens, its two marks included; often below `positions`.
    pub(super) tokens_max: usize,
    pub(super) pooling: Pooling,
    /// Texts are to be made lower case, in words of sentence-transformers.
    pub(super) lowercase: bool,
}

#[derive(Deserialize)]
struct Config {
    model_type: String,
    hidden_size: u64,
    num_hidden_layers: u64,
    num_attention_heads: u64,
    intermediate_size: u64,
    max_position_embeddings: u64,
    vocab_size: u64,
    #[serde(default = "two")]
    type_vocab_size: u64,
    layer_norm_eps: f64,
    hidden_act: String,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    add_cross_attention: bool,
    quantization_config: Option<Value>,
}

fn two() -> u64 {
    2
}

#[derive(Default, Deserialize)]
struct Sentences {
    max_seq_length: Option<u64>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Settings {
    /// Reads the settings; whatever would be computed wrongly is refused by name.
    pub(super) fn read(directory: &Path) -> Result<Self, Error> {
        let config: Config = files::settings(directory, CONFIG)?;
        refuse_variants(&config)?;
        let size = |what: &str, value: u64, limit: u64| {
            if value == 0 {
                return Err(Error::malformed(CONFIG, format!("{what} is 0")));
            }
            Error::check_limit(what, value, limit)?;
            Ok(value as usize)
        };
        let hidden = size("hidden_size", config.hidden_size, HIDDEN_MAX)?;
        let heads = size("num_attention_heads", config.num_attention_heads, HEADS_MAX)?;
        if !hidden.is_multiple_of(heads) {
            return Err(Error::unsupported(format!("{hidden} hidden numbers over {heads} heads")));
        }
        let positions = config.max_position_embeddings;
        let sentences: Sentences =
            files::settings_if_any(directory, SENTENCES)?.unwrap_or_default();
        let tokens_max = sentences.max_seq_length.unwrap_or(positions).min(positions);
        if tokens_max < TOKENS_MIN {
            return Err(Error::unsupported(format!("room for {tokens_max} tokens")));
        }
        if !(config.layer_norm_eps.is_finite() && config.layer_norm_eps >= 0.0) {
            return Err(Error::malformed(CONFIG, "layer_norm_eps is no small number"));
        }
        refuse_modules(directory)?;
        Ok(Self {
            layers: size("num_hidden_layers", config.num_hidden_layers, LAYERS_MAX)?,
            hidden,
            heads,
            feed_forward: size("intermediate_size", config.intermediate_size, FEED_FORWARD_MAX)?,
            positions: size("max_position_embeddings", positions, POSITIONS_MAX)?,
            token_types: size("type_vocab_size", config.type_vocab_size, VOCABULARY_MAX)?,
            vocabulary: size("vocab_size", config.vocab_size, VOCABULARY_MAX)?,
            norm_epsilon: config.layer_norm_eps,
            tokens_max: tokens_max as usize,
            pooling: pooling(directory)?,
            lowercase: sentences.do_lower_case,
        })
    }
}

fn refuse_variants(config: &Config) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::unsupported(what));
    if config.model_type != "bert" {
        return refuse(format!("the type {:?}", config.model_type));
    }
    if config.hidden_act != "gelu" {
        return refuse(format!("the activation {:?}", config.hidden_act));
    }
    if let Some(kind) = &config.position_embedding_type
        && kind != "absolute"
    {
        return refuse(format!("{kind:?} positions"));
    }
    if config.is_decoder || config.add_cross_attention {
        return refuse("a decoder".to_owned());
    }
    if config.quantization_config.as_ref().is_some_and(|value| !value.is_null()) {
        return refuse("quantised weights".to_owned());
    }
    Ok(())
}

/// A module between the encoder and the vector, such as a projection, would be left out in
/// silence.
fn refuse_modules(directory: &Path) -> Result<(), Error> {
    const EXPECTED: [(&str, Option<&str>); 3] =
        [("Transformer", Some("")), ("Pooling", Some(POOLING_DIRECTORY)), ("Normalize", None)];
    let modules: Vec<Module> = files::settings_if_any(directory, MODULES)?.unwrap_or_default();
    for (place, module) in modules.iter().enumerate() {
        let kind = module.kind.rsplit('.').next().unwrap_or_default();
        let is_known = EXPECTED.get(place).is_some_and(|(expected, path)| {
            *expected == kind && path.is_none_or(|path| path == module.path)
        });
        if !is_known {
            return Err(Error::unsupported(format!(
                "the module {kind:?} in {:?} at place {place}",
                module.path
            )));
        }
    }
    Ok(())
}

fn pooling(directory: &Path) -> Result<Pooling, Error> {
    let settings: Option<Map<String, Value>> = files::settings_if_any(directory, POOLING)?;
    let Some(settings) = settings else { return Ok(Pooling::Mean) };
    let mut modes = Vec::new();
    for (key, value) in &settings {
        match (key.strip_prefix("pooling_mode"), value) {
            (Some(""), Value::String(mode)) => modes.push(mode.as_str()),
            (Some(mode), Value::Bool(true)) => modes.push(mode.trim_start_matches('_')),
            _ => (),
        }
    }
    match modes[..] {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::First),
        _ => Err(Error::unsupported(format!("{} pooling", modes.join(" and ")))),
    }
}
