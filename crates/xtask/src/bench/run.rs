//! One engine at one batch: what is timed.

use crate::Outcome;

use super::figure::{Sample, is_disturbed};
use super::setting::Setting;
use super::{ours, theirs};

/// The size of a batch, in sequences and tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) sequences: usize,
    /// Tokens at the beginning that all prompts have in common.
    pub(crate) shared: usize,
    /// Tokens of each prompt after those.
    pub(crate) own: usize,
    /// Tokens to draw for each.
    pub(crate) new: usize,
}

/// Who runs a batch, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// The local engine.
    Ours {
        shape: Shape,
        /// An instruction set other than the best that there is.
        isa: Option<&'static str>,
    },
    /// llama.cpp.
    Theirs {
        shape: Shape,
        /// The type that the file is requantised to; `None` is the same file.
        file_type: Option<String>,
        /// Its flash attention.
        flash: bool,
        /// Whether it is told to compute one prompt and copy it to all sequences.
        once: bool,
        /// Its `--ubatch-size`: most tokens of one pass.
        pass_tokens: usize,
    },
}

/// Times that a run is repeated because the machine did something else meanwhile.
const DISTURBED_MAX: usize = 3;

impl Run {
    /// Runs it, again if it was disturbed, and returns the least disturbed sample.
    pub(crate) fn measure(&self, setting: &Setting<'_>) -> Outcome<Sample> {
        let mut best = self.measure_once(setting)?;
        for _ in 0..DISTURBED_MAX {
            if !is_disturbed(best.others_cores) {
                break;
            }
            println!("  disturbed ({:.2} cores busy with other things): again", best.others_cores);
            let sample = self.measure_once(setting)?;
            if sample.others_cores < best.others_cores {
                best = sample;
            }
        }
        Ok(best)
    }

    fn measure_once(&self, setting: &Setting<'_>) -> Outcome<Sample> {
        match self {
            Self::Ours { shape, isa } => ours::measure(setting, *shape, *isa),
            Self::Theirs { shape, file_type, flash, once, pass_tokens } => {
                let way = theirs::Way { flash: *flash, once: *once, pass_tokens: *pass_tokens };
                theirs::measure(setting, *shape, file_type.as_deref(), way)
            }
        }
    }

    /// The same at a size that is enough to compare settings by.
    pub(crate) fn shortened(&self) -> Self {
        let mut short = self.clone();
        let (Self::Ours { shape, .. } | Self::Theirs { shape, .. }) = &mut short;
        if shape.sequences > 1 {
            shape.new = shape.new.min(16);
        }
        if shape.shared > 0 {
            shape.sequences = shape.sequences.min(8);
        }
        short
    }

    /// What tells it from others with the same batch.
    pub(crate) fn manner(&self) -> String {
        match self {
            Self::Ours { isa, .. } => {
                isa.map_or_else(|| "hornbook".to_owned(), |isa| format!("hornbook {isa}"))
            }
            Self::Theirs { file_type, flash, once, pass_tokens, .. } => {
                let file_type = file_type.as_deref().unwrap_or("same file");
                let flash = if *flash { "-fa on" } else { "-fa off" };
                let once = if *once { " -pps" } else { "" };
                format!("{file_type}, {flash} -ub {pass_tokens}{once}")
            }
        }
    }

    /// All of it in words: a name for lists.
    pub(crate) fn name(&self) -> String {
        let (Self::Ours { shape, .. } | Self::Theirs { shape, .. }) = self;
        let Shape { sequences, shared, own, new } = shape;
        format!("{}: {sequences} x ({shared} shared + {own} own + {new} new)", self.manner())
    }
}
