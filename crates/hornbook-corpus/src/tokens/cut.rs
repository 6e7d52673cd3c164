//! Where a tokenizer cuts a text into words, by its own expression.

use std::sync::LazyLock;

use fancy_regex::RegexBuilder;
use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::{Anchored, Input};

use super::limits::{BACKTRACKS, COMPILED_BYTES};

/// How GPT-2 cuts, and every byte-level tokenizer that does not say otherwise.
pub(super) const GPT2: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// White space that leaves its last character to the word behind it: how most expressions end.
const SPACE_ENDS: [&str; 2] = [r"|\s+(?!\S)|\s+", r"|\s+(?!\S)|\s"];
const SPACE: &str = r"\s+";

/// An expression that cuts.
pub(super) enum Cutter {
    /// Without looking around; if `leaves_space`, the second of two patterns is white space.
    Straight { regex: Regex, leaves_space: bool },
    /// With all that backtracking can do.
    Backtracking(fancy_regex::Regex),
}

/// Expressions get no memory of their own, so that threads need not share any.
pub(super) type CutterMemory = Option<Cache>;

impl Cutter {
    pub(super) fn new(expression: &str) -> Result<Self, String> {
        if let Some(straight) = Self::straight(expression) {
            return Ok(straight);
        }
        Ok(Self::Backtracking(backtracking(expression)?))
    }

    fn straight(expression: &str) -> Option<Self> {
        // Flags for the rest of an expression would reach into what is taken off its end.
        let has_flags =
            ["(?x", "(?U", "(?u", "(?-", "(?s", "(?m"].iter().any(|it| expression.contains(it));
        let build = |patterns: &[&str]| {
            let config = Config::new().nfa_size_limit(Some(COMPILED_BYTES));
            Regex::builder().configure(config).build_many(patterns).ok()
        };
        let body = SPACE_ENDS.iter().find_map(|end| expression.strip_suffix(end));
        match body {
            Some(_) if has_flags => None,
            Some(body) => {
                build(&[body, SPACE]).map(|regex| Self::Straight { regex, leaves_space: true })
            }
            None => build(&[expression]).map(|regex| Self::Straight { regex, leaves_space: false }),
        }
    }

    pub(super) fn memory(&self) -> CutterMemory {
        match self {
            Self::Straight { regex, .. } => Some(regex.create_cache()),
            Self::Backtracking(_) => None,
        }
    }

    /// Hands over every match and every text between two of them, in order.
    pub(super) fn cut<'t>(
        &self,
        memory: &mut CutterMemory,
        text: &'t str,
        each: &mut dyn FnMut(&'t str) -> Result<(), String>,
    ) -> Result<(), String> {
        match (self, memory) {
            (Self::Straight { regex, leaves_space }, Some(cache)) => {
                let mut at = 0;
                while at < text.len() {
                    let (start, end) = next_straight(regex, *leaves_space, cache, text, at)?;
                    if start > at {
                        each(&text[at..start])?;
                    }
                    each(&text[start..end])?;
                    at = end;
                }
                Ok(())
            }
            (Self::Backtracking(regex), _) => cut_backtracking(regex, text, each),
            (Self::Straight { .. }, None) => Err("an expression lost its memory".to_owned()),
        }
    }
}

/// Where the next match lies, or the rest of the text if there is none; never empty.
fn next_straight(
    regex: &Regex,
    leaves_space: bool,
    cache: &mut Cache,
    text: &str,
    at: usize,
) -> Result<(usize, usize), String> {
    // Most expressions match everywhere: from a known beginning, one reading finds the end.
    let here = Input::new(text).range(at..).anchored(Anchored::Yes);
    let (start, mut end, pattern) = match regex.search_half_with(cache, &here) {
        Some(half) => (at, half.offset(), half.pattern()),
        None => match regex.search_with(cache, &Input::new(text).range(at..)) {
            Some(found) => (found.start(), found.end(), found.pattern()),
            None => return Ok((at, text.len())),
        },
    };
    if leaves_space && pattern.as_usize() == 1 && end < text.len() {
        // A word follows, for the run would be longer otherwise.
        let last = text[start..end].char_indices().next_back().map_or(0, |(last, _)| last);
        if last > 0 {
            end = start + last;
        }
    }
    if end == start {
        return Err("an expression of the tokenizer matches nothing at all".to_owned());
    }
    Ok((start, end))
}

fn cut_backtracking<'t>(
    regex: &fancy_regex::Regex,
    text: &'t str,
    each: &mut dyn FnMut(&'t str) -> Result<(), String>,
) -> Result<(), String> {
    let mut at = 0;
    for found in regex.find_iter(text) {
        let found =
            found.map_err(|error| format!("an expression of the tokenizer fails: {error}"))?;
        if found.start() > at {
            each(&text[at..found.start()])?;
        }
        if found.end() > found.start() {
            each(found.as_str())?;
        }
        at = found.end();
    }
    if at < text.len() { each(&text[at..]) } else { Ok(()) }
}

/// Compiles an expression as the library does, but with a bound that it reports.
fn backtracking(expression: &str) -> Result<fancy_regex::Regex, String> {
    RegexBuilder::new(expression)
        .backtrack_limit(BACKTRACKS)
        .delegate_size_limit(COMPILED_BYTES)
        .build()
        .map_err(|error| format!("the expression {expression:?}: {error}"))
}

/// Texts on which an expression that explodes is likely to.
static PROBES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let long = |unit: &str| unit.repeat(4_096 / unit.len());
    let mut probes: Vec<String> =
        ["a", " ", "1", "\n", "ab", "'", ".", "A", "é", "中", " a", "\r\n", "a1", "_", "-"]
            .iter()
            .map(|unit| long(unit))
            .collect();
    for end in ["!", "x", " ", "\n", "1"] {
        probes.push(format!("{}{end}", long("a")));
        probes.push(format!("{}{end}", long(" ")));
    }
    probes
});

/// Refuses an expression that needs too many steps for texts of some kilobytes.
pub(super) fn probe(expression: &str) -> Result<(), String> {
    let regex = backtracking(expression)?;
    for text in PROBES.iter() {
        if let Some(error) = regex.find_iter(text).find_map(Result::err) {
            return Err(format!("the expression {expression:?}: {error}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    fn cut(cutter: &Cutter, text: &str) -> Vec<String> {
        let (mut memory, mut pieces) = (cutter.memory(), Vec::new());
        cutter
            .cut(&mut memory, text, &mut |piece| {
                pieces.push(piece.to_owned());
                Ok(())
            })
            .unwrap();
        pieces
    }

    /// The quick way and the slow way of each expression.
    static BOTH: LazyLock<Vec<(Cutter, Cutter)>> = LazyLock::new(|| {
        let both = |expression| {
            let quick = Cutter::new(expression).unwrap();
            assert!(matches!(quick, Cutter::Straight { .. }), "{expression}");
            (quick, Cutter::Backtracking(backtracking(expression).unwrap()))
        };
        [GPT2, LLAMA3, QWEN2].map(both).into()
    });

    #[test]
    fn white_space_leaves_its_last_character_to_a_word() {
        let gpt2 = Cutter::new(GPT2).unwrap();
        assert_eq!(cut(&gpt2, "a   b \n\n c  "), ["a", "  ", " b", " \n\n", " c", "  "]);
        assert_eq!(cut(&gpt2, "don't\t\tgo"), ["don", "'t", "\t", "\t", "go"]);
        assert_eq!(cut(&gpt2, ""), [""; 0]);
    }

    #[test]
    fn what_no_pattern_matches_is_a_piece_too() {
        assert_eq!(cut(&Cutter::new("[0-9]").unwrap(), "ab12c"), ["ab", "1", "2", "c"]);
        assert_eq!(cut(&Cutter::new("(?=x)x+").unwrap(), "abxxc"), ["ab", "xx", "c"]);
    }

    #[test]
    fn what_explodes_is_refused() {
        for expression in [GPT2, LLAMA3, QWEN2] {
            probe(expression).unwrap();
        }
        for expression in [r"(?:a|aa|a(?!b))+(?!a)c", r"(?=((a|a)+)+\d)(a+)\1+z"] {
            let error = probe(expression).unwrap_err();
            assert!(error.contains("acktrack"), "{error}");
        }
        assert!(probe(r"(\p{L}{1000}){1000}").is_err());
        assert!(probe("(").is_err());
    }

    #[test]
    fn an_expression_that_gives_up_is_an_error_of_the_text() {
        let cutter = Cutter::new(r"(?:a|aa|a(?!b))+(?!a)c").unwrap();
        let text = "a".repeat(10_000);
        let error = cutter.cut(&mut cutter.memory(), &text, &mut |_| Ok(())).unwrap_err();
        assert!(error.contains("fails"), "{error}");
    }

    proptest! {
        #[test]
        fn the_quick_way_cuts_as_the_slow_one(
            text in r"([a-zA-Zé中ß]{0,6}|[ \t\r\n\u{a0}\u{2003}]{0,4}|[0-9٣½]{0,4}|'(s|T|ll|RE)|[.,!\u{301}_😀-]{0,3}){0,24}"
        ) {
            for (quick, slow) in BOTH.iter() {
                let (quick, slow) = (cut(quick, &text), cut(slow, &text));
                prop_assert_eq!(quick.concat(), &text[..]);
                prop_assert_eq!(quick, slow);
            }
        }
    }
}
