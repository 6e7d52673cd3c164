//! Texts of an exact number of tokens.

use std::error::Error;

use hornbook_candle::Engine;

/// Common words, most of which are one token with the space before them.
const WORDS: &str = "the of and to in is was for that on as with by he at from his it an are which \
this be had or were first one their its new after but who not they have her she two been other when \
there all also over into only some time may such could then most these more than many where about \
between out world during years through known before up being later state under while made city used \
if no would war made called now day second three number part life year people place work family \
house water school book land sea river sun light night earth air food name home hand head eye heart \
king child man woman boy girl friend mother father brother sister story music song game power law \
church country town street road line point side end form kind group order class study science art \
history nature plant animal tree flower bird fish dog horse stone wood iron gold paper letter word";

/// Texts that begin differently.
const BEGINNINGS: usize = 96;

/// Writes texts out of words that are one token each.
pub(crate) struct Writer {
    words: Vec<&'static str>,
    /// Tokens that the engine puts around every text, such as a mark of the beginning.
    pub(crate) extra_tokens: usize,
}

impl Writer {
    /// Finds the words that this model has a token for.
    pub(crate) fn new(engine: &Engine) -> Result<Self, Box<dyn Error>> {
        let mut words: Vec<&'static str> = WORDS.split_whitespace().collect();
        words.sort_unstable();
        words.dedup();
        words.retain(|word| engine.count_tokens(&format!(" {word}")) == 1);
        if words.len() < BEGINNINGS {
            return Err("this model has tokens for too few common words".into());
        }
        Ok(Self { words, extra_tokens: 0 })
    }

    /// A text of `tokens` tokens; another `number` gives another text. Texts whose numbers differ by
    /// less than [`BEGINNINGS`] begin with different words, so that they share no prefix.
    pub(crate) fn text(&self, number: u64, tokens: usize) -> String {
        let count = self.words.len() as u64;
        let mut text = String::new();
        // A linear congruence (Knuth's MMIX); its high bits are random enough for a choice of words.
        let mut state = number;
        for position in 0..tokens {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let choice = if position == 0 { number % count } else { (state >> 33) % count };
            text.push(' ');
            text.push_str(self.words[choice as usize]);
        }
        text
    }
}
