//! What the command line says.

use std::collections::BTreeMap;
use std::error::Error;
use std::str::FromStr;

use hornbook_candle::{Engine, EngineConfig};

/// Every option of every work: a misspelt one must not quietly measure something else.
const NAMES: [&str; 8] = ["model", "isa", "threads", "slots", "sequences", "shared", "own", "new"];

/// `--name value` pairs.
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads all pairs; anything else is an error.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut pairs = BTreeMap::new();
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            let (Some(name), Some(value)) = (name.strip_prefix("--"), value) else {
                return Err(format!("'{name}' is no option with a value"));
            };
            if !NAMES.contains(&name) {
                return Err(format!("there is no option --{name}"));
            }
            pairs.insert(name.to_owned(), value);
        }
        Ok(Self(pairs))
    }

    /// A value that must be there.
    pub(crate) fn need<T: FromStr>(&self, name: &str) -> Result<T, String> {
        self.get(name)?.ok_or_else(|| format!("--{name} is missing"))
    }

    /// A value that may be there.
    pub(crate) fn get<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let read = |text: &String| text.parse().map_err(|_| format!("--{name} cannot be '{text}'"));
        self.0.get(name).map(read).transpose()
    }

    /// The engine's defaults, changed as the command line says.
    pub(crate) fn engine(&self) -> Result<EngineConfig, Box<dyn Error>> {
        let mut config = EngineConfig::new(self.need::<String>("model")?);
        config.threads = self.get("threads")?;
        config.instruction_set = self.get("isa")?;
        config.slots = self.get("slots")?.unwrap_or(config.slots);
        Ok(config)
    }
}

/// Loads an engine where blocking is allowed.
pub(crate) async fn load(config: EngineConfig) -> Result<Engine, Box<dyn Error>> {
    Ok(tokio::task::spawn_blocking(|| Engine::load(config)).await??)
}
