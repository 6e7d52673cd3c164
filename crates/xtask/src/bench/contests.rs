//! Which batches are compared, and the ratio that each comparison must reach.

use super::figure::Part;
use super::run::{Run, Shape};

/// Many sequences at once, as a job has them.
const MANY: Shape = Shape { sequences: 32, shared: 0, own: 128, new: 128 };
/// One sequence, as a chat has it.
const SINGLE: Shape = Shape { sequences: 1, ..MANY };
/// Many sequences that begin alike, as prompts of one template and audience do.
const PREFIX: Shape = Shape { shared: 512, own: 16, ..MANY };

/// llama.cpp's own choice of most tokens in a pass; decoding never fills it.
const PASS_TOKENS: [usize; 1] = [512];
/// Choices for prompts, which do.
const PROMPT_PASS_TOKENS: [usize; 3] = [512, 1024, 2048];

/// A part of our run against the best of several ways to run llama.cpp.
pub(crate) struct Contest {
    /// The row of the table, as `--rows` names it.
    pub(crate) row: &'static str,
    /// The work in words.
    pub(crate) work: &'static str,
    pub(crate) part: Part,
    pub(crate) ours: Run,
    /// What llama.cpp is given, in words.
    pub(crate) against: &'static str,
    /// Ways to run it; which one is best is tried out first.
    pub(crate) candidates: Vec<Run>,
    /// The least ratio; `None` where the line is there for honesty only.
    pub(crate) bar: Option<f64>,
}

/// All comparisons, in the table's order; `types` are what the file may be requantised to.
pub(crate) fn all(types: &[String]) -> Vec<Contest> {
    let ours = |shape| Run::Ours { shape, isa: None };
    let types: Vec<Option<&str>> = types.iter().map(|name| Some(name.as_str())).collect();
    let same = |shape, part| ways(shape, &[None], false, part);
    let best = |shape, part| ways(shape, &types, false, part);
    let mut contests = Vec::new();
    let mut add = |row, work, part, ours: Run, against, candidates, bar| {
        contests.push(Contest { row, work, part, ours, against, candidates, bar });
    };
    let (same_file, best_type) = ("same file", "best type");
    let (prompt, decode) = (Part::Prompt, Part::Decode);
    let work = "decode, 32 sequences, prompt 128 + 128 new";
    add("decode", work, decode, ours(MANY), same_file, same(MANY, decode), Some(4.3));
    add("decode", work, decode, ours(MANY), best_type, best(MANY, decode), Some(2.1));
    let work = "prompt processing, 32 x 128";
    add("prompt", work, prompt, ours(MANY), same_file, same(MANY, prompt), Some(5.5));
    add("prompt", work, prompt, ours(MANY), best_type, best(MANY, prompt), Some(2.1));
    let work = "decode, 1 sequence, prompt 128 + 128 new";
    add("single", work, decode, ours(SINGLE), same_file, same(SINGLE, decode), Some(1.3));
    add("single", work, decode, ours(SINGLE), best_type, best(SINGLE, decode), Some(0.8));
    let work = "decode, 32 sequences, shared prefix 512 + 16 own + 128 new";
    add("prefix", work, decode, ours(PREFIX), same_file, same(PREFIX, decode), Some(5.0));
    let work = "effective prompt speed, 32 x (512 shared + 16 own)";
    add("prefix", work, prompt, ours(PREFIX), same_file, same(PREFIX, prompt), Some(20.0));
    let once = ways(PREFIX, &[None], true, prompt);
    add("prefix", work, prompt, ours(PREFIX), "same file, one prompt copied (-pps)", once, None);
    let avx2 = Run::Ours { shape: MANY, isa: Some("avx2") };
    let work = "decode, 32 sequences, AVX2 only";
    add("avx2", work, decode, avx2, same_file, same(MANY, decode), Some(1.0));
    contests
}

/// Every type with flash attention on and off, and passes of several sizes where they matter.
fn ways(shape: Shape, types: &[Option<&str>], once: bool, part: Part) -> Vec<Run> {
    let (sizes, shape) = match part {
        // What comes after the prompts is not looked at.
        Part::Prompt => (&PROMPT_PASS_TOKENS[..], Shape { new: 1, ..shape }),
        Part::Decode => (&PASS_TOKENS[..], shape),
    };
    let mut ways = Vec::new();
    for file_type in types {
        for flash in [true, false] {
            ways.extend(sizes.iter().map(|&pass_tokens| {
                let file_type = file_type.map(str::to_owned);
                Run::Theirs { shape, file_type, flash, once, pass_tokens }
            }));
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::options::ROWS;

    #[test]
    fn every_comparison_is_of_equal_work() {
        for contest in all(&["Q4_0".to_owned()]) {
            assert!(ROWS.contains(&contest.row), "{}", contest.row);
            let Run::Ours { shape: ours, .. } = contest.ours else { panic!("not ours") };
            assert!(!contest.candidates.is_empty());
            for candidate in contest.candidates {
                let Run::Theirs { shape, .. } = candidate else { panic!("not theirs") };
                let new = if contest.part == Part::Prompt { 1 } else { ours.new };
                assert_eq!(shape, Shape { new, ..ours }, "{}", contest.work);
            }
        }
    }

    #[test]
    fn a_best_type_is_looked_for_with_and_without_flash_attention() {
        let types = ["Q4_0".to_owned(), "BF16".to_owned()];
        let contests = all(&types);
        let best: Vec<_> = contests.iter().filter(|it| it.against == "best type").collect();
        assert_eq!(best.len(), 3);
        for contest in best {
            let sizes = if contest.part == Part::Prompt { 3 } else { 1 };
            assert_eq!(contest.candidates.len(), 2 * 2 * sizes, "{}", contest.work);
        }
    }
}
