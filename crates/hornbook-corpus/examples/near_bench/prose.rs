//! English that looks natural, from numbers: the same number gives the same document everywhere.

use std::fmt::Write as _;

const NOUNS: &str = "water light cell energy river mountain teacher student language history market \
    number plant animal engine city village ocean planet star metal forest bridge garden kitchen letter \
    story painting song machine signal circuit theory experiment result question answer reason pattern \
    cycle season harvest border treaty king worker farmer sailor doctor nurse child family friend road \
    wheel stone clay glass wire lens magnet battery current pressure temperature surface volume weight \
    speed distance angle triangle circle fraction equation variable function sample average graph table \
    map island desert climate storm cloud glacier volcano fossil bone muscle heart lung nerve enzyme \
    protein gene virus medicine diet sleep memory habit choice price wage tax bank loan contract court";
const ADJECTIVES: &str = "small large early late simple complex common rare warm cold bright dark heavy \
    light quick slow deep shallow narrow wide ancient modern local distant careful sudden steady hidden \
    visible useful fragile solid liquid empty crowded quiet loud sharp smooth rough dry wet fertile rich \
    poor honest curious patient ordinary remarkable familiar strange natural artificial average typical";
const VERBS: &str = "moves changes carries holds absorbs releases follows shapes supports explains \
    measures describes connects divides protects reveals limits produces stores drives balances replaces \
    attracts repels crosses reaches surrounds feeds cools heats guides signals suggests requires \
    prevents allows improves weakens strengthens";
const ADVERBS: &str = "slowly often rarely usually quickly almost nearly gently suddenly clearly mostly \
    barely partly eventually sometimes always";
const OPENINGS: &str = "However,|In practice,|For example,|As a result,|Over time,|At first,|In contrast,|\
    Because of this,|In other words,|By comparison,|Even so,|Once again,";
const PREFIXES: &str = "thermo hydro photo electro bio geo micro macro chrono neuro astro cardio litho \
    aero magneto poly mono iso hetero homo meta para peri endo exo trans inter sub super infra";
const ROOTS: &str = "graph meter scope phil morph gen lys troph cline sphere phase static dynam kinet \
    crat nom path therm son plast derm cyt stas tax port duct ject spect form mit ven";
const SUFFIXES: &str = "ic ical ism ist ity ation al ous ine ium ite ose ene oid ology ography";
/// Words per document; about 2.3 KB of text.
const WORDS: (u64, u64) = (290, 420);
/// Of 1,000 content words, so many are terms.
const TERMS_PER_MILLE: u64 = 90;

/// Draws numbers (SplitMix64).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice for one purpose.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.wrapping_mul(0xd134_2543_de82_ef95));
        dice.draw();
        dice
    }

    /// Any number.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// A place in a list, the first ones more often: by Zipf's law, roughly.
    fn zipf(&mut self, len: usize) -> usize {
        let share = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        (((len as f64 + 1.0).powf(share) - 1.0) as usize).min(len - 1)
    }
}

/// A word and what stands after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Word {
    /// Lower case letters.
    pub(crate) word: String,
    /// Space and punctuation.
    pub(crate) after: &'static str,
}

/// The vocabulary, split once.
pub(crate) struct Prose {
    nouns: Vec<&'static str>,
    adjectives: Vec<&'static str>,
    verbs: Vec<&'static str>,
    adverbs: Vec<&'static str>,
    openings: Vec<&'static str>,
    term_parts: [Vec<&'static str>; 3],
}

impl Prose {
    /// Splits the lists.
    pub(crate) fn new() -> Self {
        let split = |list: &'static str| list.split_whitespace().collect::<Vec<_>>();
        Self {
            nouns: split(NOUNS),
            adjectives: split(ADJECTIVES),
            verbs: split(VERBS),
            adverbs: split(ADVERBS),
            openings: OPENINGS.split('|').collect(),
            term_parts: [PREFIXES, ROOTS, SUFFIXES].map(split),
        }
    }

    /// A document's words.
    pub(crate) fn document(&self, dice: &mut Dice) -> Vec<Word> {
        let length = WORDS.0 + dice.below(WORDS.1 - WORDS.0);
        let typographic = dice.below(3) == 0;
        let mut words: Vec<Word> = Vec::with_capacity(WORDS.1 as usize + 40);
        while (words.len() as u64) < length {
            self.sentence(dice, &mut words);
            if let Some(last) = words.last_mut() {
                last.after = match dice.below(24) {
                    0..4 => ".\n\n",
                    4 => "? ",
                    5 if typographic => ".” “",
                    6 if typographic => " — ",
                    _ => ". ",
                };
            }
        }
        words
    }

    /// One word that could stand anywhere.
    pub(crate) fn any(&self, dice: &mut Dice) -> String {
        let lists = [&self.nouns, &self.adjectives, &self.verbs, &self.adverbs];
        let list = lists[dice.below(4) as usize];
        self.content(list, dice)
    }

    fn sentence(&self, dice: &mut Dice, words: &mut Vec<Word>) {
        let mut push = |text: &str| {
            for word in text.split(' ') {
                let bare = word.trim_end_matches(',');
                let after = if bare.len() < word.len() { ", " } else { " " };
                words.push(Word { word: bare.to_lowercase(), after });
            }
        };
        if dice.below(4) == 0 {
            push(self.openings[dice.zipf(self.openings.len())]);
        }
        let mut clause = |dice: &mut Dice| {
            push(["the", "a", "this", "every", "one", "our"][dice.zipf(6)]);
            if dice.below(5) < 2 {
                push(&self.content(&self.adjectives, dice));
            }
            push(&self.content(&self.nouns, dice));
            if dice.below(4) == 0 {
                push(["of the", "in the", "near a", "from the", "without a"][dice.zipf(5)]);
                push(&self.content(&self.nouns, dice));
            }
            if dice.below(5) == 0 {
                push(&self.content(&self.adverbs, dice));
            }
            push(&self.content(&self.verbs, dice));
            push(["the", "its", "a", "another", "each"][dice.zipf(5)]);
            if dice.below(3) == 0 {
                push(&self.content(&self.adjectives, dice));
            }
            push(&self.content(&self.nouns, dice));
        };
        clause(dice);
        if dice.below(3) == 0 {
            let joint = ["and", "while", "because", "so", "although"][dice.zipf(5)];
            words.push(Word { word: joint.to_owned(), after: " " });
            self.sentence_tail(dice, words);
        }
    }

    fn sentence_tail(&self, dice: &mut Dice, words: &mut Vec<Word>) {
        let noun = self.content(&self.nouns, dice);
        let verb = self.content(&self.verbs, dice);
        let object = self.content(&self.nouns, dice);
        let text = format!("the {noun} {verb} {object}");
        words.extend(text.split(' ').map(|word| Word { word: word.to_owned(), after: " " }));
    }

    fn content(&self, list: &[&str], dice: &mut Dice) -> String {
        if dice.below(1_000) >= TERMS_PER_MILLE {
            return list[dice.zipf(list.len())].to_owned();
        }
        self.term_parts.iter().map(|parts| parts[dice.zipf(parts.len())]).collect()
    }
}

/// The text of words: capitals after full stops.
pub(crate) fn text(words: &[Word]) -> String {
    let mut text = String::new();
    let mut begins = true;
    for Word { word, after } in words {
        let first = usize::from(begins && !word.is_empty());
        text.push_str(&word[..first].to_ascii_uppercase());
        let _ = write!(text, "{}{after}", &word[first..]);
        begins = after.contains(['.', '?']);
    }
    text
}
