//! Text without meaning: English function words and stock phrases, made-up content words by Zipf's law.

/// Content words of the language.
const CONTENT_WORDS: usize = 12_000;
const SYLLABLES: [&str; 40] = [
    "ba", "cal", "den", "dor", "el", "fi", "gan", "gra", "hol", "im", "jor", "ka", "lan", "lem",
    "li", "mar", "mo", "na", "nel", "or", "pa", "per", "pli", "qua", "ra", "rin", "sa", "sel",
    "shi", "sta", "ta", "ter", "ti", "tor", "u", "va", "ven", "wil", "ya", "zo",
];
const FUNCTION_WORDS: &str = "the the the the of of of and and to to in in a a a is is that for it as with was on \
    are by this be from or at not an have which one has their they more when these can will would but if \
    there its other than into no some may about two also such only do then most any between many each";
/// Sentences of a hundred that begin with a stock phrase: far more than in texts that people write.
pub(crate) const STOCK_PERCENT: usize = 5;
/// The same for the sentences of a question.
const QUESTION_STOCK_PERCENT: usize = 15;
/// Words of the longest stock phrase.
const STOCK_WORDS_MAX: usize = 9;
/// What tests and textbooks alike begin with.
const STOCK_PHRASES: &str = "which of the following is an example of a|which of the following best describes the|\
    what is the most likely reason that the|in order to understand how|it is important to note that the|\
    based on the information in the passage above|a student wants to find out whether the|\
    the results of the experiment show that|one of the most important things about|find the total number of|\
    how many more than|for the first time in the history of|on the other hand|as we have seen in the last chapter|\
    at the end of the day|the diagram below shows the parts of|let us take a closer look at the|\
    if the price of the|is defined as the amount of|there are three main kinds of";

/// SplitMix64: enough for text, and the same everywhere.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    /// A number from `low` to `high`, both possible.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The words of the language.
pub(crate) struct Language {
    content: Vec<String>,
    function: Vec<&'static str>,
    phrases: Vec<&'static str>,
}

impl Language {
    /// Always the same.
    pub(crate) fn new() -> Self {
        let mut draw = Draw(7);
        let content = (0..CONTENT_WORDS).map(|rank| {
            // The commoner, the shorter.
            let syllables = 2 + usize::from(rank > 60) * draw.below(2) + usize::from(rank > 900);
            (0..syllables).map(|_| draw.one(&SYLLABLES)).collect()
        });
        let content = content.collect();
        let function = FUNCTION_WORDS.split_whitespace().collect();
        Self { content, function, phrases: STOCK_PHRASES.split('|').collect() }
    }

    /// A content word; the rank is drawn by Zipf's law.
    pub(crate) fn word(&self, draw: &mut Draw) -> &str {
        let rank = (CONTENT_WORDS as f64).powf(draw.unit()) as usize - 1;
        &self.content[rank.min(CONTENT_WORDS - 1)]
    }

    /// A sentence of exactly so many words, its stop not included.
    pub(crate) fn sentence(&self, draw: &mut Draw, words: usize, stock_percent: usize) -> String {
        let mut sentence: Vec<String> = Vec::with_capacity(words);
        // What is a stock phrase and nothing else cannot be told from one.
        if words > STOCK_WORDS_MAX + 2 && draw.percent(stock_percent) {
            sentence.extend(draw.one(&self.phrases).split(' ').map(str::to_owned));
        }
        while sentence.len() < words {
            let mut word = match draw.below(100) {
                0..45 => draw.one(&self.function).to_owned(),
                45..48 => draw.below(2_000).to_string(),
                48..50 => format!("{}-{}", self.word(draw), self.word(draw)),
                50..52 => draw.one(&["don't", "it's", "let's", "doesn't", "you'll"]).to_owned(),
                _ => self.word(draw).to_owned(),
            };
            if draw.percent(8) {
                word.push(draw.one(&[',', ',', ',', ';', ':']));
            }
            sentence.push(word);
        }
        sentence.truncate(words);
        let mut text = sentence.join(" ");
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        text
    }

    /// Sentences, about so many bytes of them, in paragraphs.
    pub(crate) fn prose(&self, draw: &mut Draw, bytes: usize) -> Vec<String> {
        let (mut sentences, mut so_far) = (Vec::new(), 0);
        while so_far < bytes {
            let words = draw.between(6, 26);
            let mut sentence = self.sentence(draw, words, STOCK_PERCENT);
            sentence.push_str(draw.one(&[". ", ". ", ". ", "! ", "? ", ".\n\n"]));
            so_far += sentence.len();
            sentences.push(sentence);
        }
        sentences
    }

    /// A question of exactly so many words.
    pub(crate) fn question(&self, draw: &mut Draw, words: usize) -> String {
        let mut left = words;
        let mut text = String::new();
        while left > 26 {
            let words = draw.between(8, 20).min(left - 6);
            text += &self.sentence(draw, words, QUESTION_STOCK_PERCENT);
            text += ". ";
            left -= words;
        }
        text += &self.sentence(draw, left, QUESTION_STOCK_PERCENT);
        text + "?"
    }
}
