//! Benchmarks that are kept out of a corpus.

use std::fmt;

use crate::decontaminate::{Benchmarks, Decontaminator, Mode};
use crate::error::AssembleError;
use crate::hashing::sha256_hex;

/// Benchmarks to look for, with a name for exactly these items.
pub struct WantedBenchmarks {
    decontaminator: Decontaminator,
    digest: String,
}

/// Changes whenever the same items would be found elsewhere than before.
const SCHEME: u32 = 1;

impl WantedBenchmarks {
    /// Indexes the items of those names, all of them where no name is given; a name without items is an error.
    pub fn new(all: &Benchmarks, names: &[String], mode: Mode) -> Result<Self, AssembleError> {
        if let Some(name) =
            names.iter().find(|name| all.items().iter().all(|it| it.benchmark != **name))
        {
            let message = format!("there is no benchmark '{name}' among those given");
            return Err(AssembleError::Request(message));
        }
        let mut wanted = Benchmarks::default();
        for item in all.items() {
            if names.is_empty() || names.contains(&item.benchmark) {
                let pushed = wanted.push(item.clone());
                pushed.map_err(|fault| AssembleError::Request(fault.to_string()))?;
            }
        }
        let mut items: Vec<_> = wanted
            .items()
            .iter()
            .map(|item| (&item.benchmark, &item.item_id, &item.text))
            .collect();
        if mode == Mode::Strict {
            // The strict mode depends on the order of the items in nothing.
            items.sort_unstable();
        }
        let json = serde_json::to_vec(&(SCHEME, mode, items))
            .map_err(|error| AssembleError::Row(error.to_string()))?;
        let digest = sha256_hex(&json);
        Ok(Self { decontaminator: Decontaminator::new(&wanted, mode), digest })
    }

    /// Finds them.
    pub fn decontaminator(&self) -> &Decontaminator {
        &self.decontaminator
    }

    /// A name for exactly these items and this way to look for them, 64 hex digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Debug for WantedBenchmarks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("WantedBenchmarks").field("digest", &self.digest).finish_non_exhaustive()
    }
}
