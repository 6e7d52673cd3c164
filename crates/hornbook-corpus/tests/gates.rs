//! Every gate refuses what it is for and passes what looks like it.

use hornbook_corpus::{Answer, Judgement, judge};
use hornbook_types::{
    AudienceSpec, FinishReason, GatePreset, GateSpec, GradeRange, Looped, OutputKind, Reason,
    TokenRange, Truncated, Verdict,
};
use proptest::prelude::*;

const PROSE: &str = "Ice forms when water grows so cold that its molecules slow down and settle \
into a lattice. The lattice takes more room than the liquid did, which is why ice floats and why \
a full bottle bursts in the freezer. Lakes freeze from the top, and the layer of ice keeps the \
water below it from freezing through, so that fish survive the winter. Salt hinders the lattice, \
and therefore the sea freezes only below zero degrees.";

const TODDLER: &str = "The red ball is round. Roll, ball, roll! The ball rolls to the cat. Pat, \
cat, pat! The cat pats the ball. Roll, ball, roll! The ball rolls to the dog. The dog wags his \
tail. Wag, dog, wag! The ball is back. Hug the ball. Good night, red ball.";

fn audience(min: u32) -> AudienceSpec {
    AudienceSpec {
        title: "Anyone".to_owned(),
        rank: None,
        reader: "readers".to_owned(),
        instructions: vec!["Write.".to_owned()],
        vocabulary: "plain".to_owned(),
        leave_out: Vec::new(),
        formulas: "none".to_owned(),
        ending: "stop".to_owned(),
        tokens: TokenRange { min, max: 1000 },
        grade: GradeRange::default(),
    }
}

struct Case<'a> {
    gates: GateSpec,
    min: u32,
    prompt: &'a str,
    finish: FinishReason,
    output: OutputKind,
}

fn case<'a>() -> Case<'a> {
    Case {
        gates: GateSpec::default(),
        min: 1,
        prompt: "Write about ice for children.",
        finish: FinishReason::Stop,
        output: OutputKind::Text,
    }
}

impl Case<'_> {
    /// Judges with a token a word.
    fn judge<'t>(&'t self, text: &'t str) -> Judgement<'t> {
        let answer = Answer {
            prompt: self.prompt,
            text,
            finish_reason: &self.finish,
            completion_tokens: text.split_whitespace().count() as u64,
            output: self.output,
        };
        judge(&self.gates, &audience(self.min), answer)
    }

    fn reason(&self, text: &str) -> Option<Reason> {
        let judgement = self.judge(text);
        assert_eq!(judgement.reason.is_none(), judgement.verdict == Verdict::Accepted);
        judgement.reason
    }
}

#[test]
fn ordinary_text_passes_every_gate() {
    for text in [PROSE, TODDLER, "水是生命之源。我们每天都要喝水，植物和动物也离不开它。"]
    {
        assert_eq!(case().reason(text), None, "{:?}", case().judge(text).scores);
    }
    let scores = case().judge(PROSE).scores;
    for name in ["prompt_echo", "duplicate_lines", "duplicate_ngrams"] {
        assert_eq!(scores[name], 0.0, "{name}");
    }
}

#[test]
fn empty() {
    for text in ["", " \n\t", "\u{200b}\u{feff}\u{0}"] {
        assert_eq!(case().reason(text), Some(Reason::Empty), "{text:?}");
    }
    assert_eq!(case().reason("Yes."), None);
}

#[test]
fn truncated_is_rejected_by_default() {
    let cut = Case { finish: FinishReason::Length, ..case() };
    assert_eq!(cut.reason(PROSE), Some(Reason::Truncated));
    let other = Case { finish: FinishReason::Other("content_end".to_owned()), ..case() };
    assert_eq!(other.reason(PROSE), None, "a word of the endpoint's own is no cut");
}

#[test]
fn truncated_is_trimmed_on_request() {
    let gates = GateSpec { truncated: Truncated::Trim, ..GateSpec::default() };
    let cut = Case { gates, finish: FinishReason::Length, ..case() };
    let text = format!("{PROSE} And then the wat");
    let judgement = cut.judge(&text);
    assert_eq!(judgement.verdict, Verdict::Accepted);
    assert_eq!(judgement.text, PROSE);
    assert_eq!(judgement.scores["trimmed"], true);

    let whole = cut.judge(PROSE);
    assert_eq!(whole.text, PROSE);
    assert!(!whole.scores.contains_key("trimmed"), "nothing was cut");

    let text = "Short. ".to_owned() + &"and on ".repeat(40);
    let judgement = cut.judge(&text);
    assert_eq!(judgement.reason, Some(Reason::Truncated), "less than 60 % would remain");
    assert_eq!(judgement.text, text, "a rejected answer is stored whole");

    let list = Case { output: OutputKind::List, ..cut };
    assert_eq!(list.reason(PROSE), Some(Reason::Truncated), "half a list is no list");
}

#[test]
fn looped_is_rejected_by_default_and_trimmed_on_request() {
    let circles = |repeated: usize| format!("{PROSE} {}It is c", "It is cold. ".repeat(repeated));
    let text = circles(9);
    let looped = Case { finish: FinishReason::Loop, ..case() };
    assert_eq!(looped.reason(&text), Some(Reason::Looped));
    assert_eq!(looped.judge(&text).text, text, "a rejected answer is stored whole");
    let trims_cut = GateSpec { truncated: Truncated::Trim, ..GateSpec::default() };
    let looped = Case { gates: trims_cut, ..looped };
    assert_eq!(looped.reason(&text), Some(Reason::Looped), "that is another gate's setting");

    let gates = GateSpec { looped: Looped::Trim, ..GateSpec::default() };
    let looped = Case { gates, ..looped };
    let judgement = looped.judge(&text);
    assert_eq!(judgement.verdict, Verdict::Accepted);
    assert_eq!(judgement.text, PROSE, "the first copy was no whole sentence without its stop");
    assert_eq!(judgement.scores["trimmed"], true);
    assert_eq!(looped.reason(&circles(60)), Some(Reason::Looped), "less than 60 % would remain");
    assert_eq!(looped.reason(PROSE), Some(Reason::Looped), "nothing is repeated at its end");
    let list = Case { output: OutputKind::List, ..looped };
    assert_eq!(list.reason(&text), Some(Reason::Looped), "half a list is no list");

    let off = GateSpec { preset: GatePreset::None, ..GateSpec::default() };
    let off = Case { gates: off, finish: FinishReason::Loop, ..case() };
    assert_eq!(off.reason(&text), None, "no gate at all");
}

#[test]
fn what_remains_after_trimming_must_be_long_enough() {
    let words = PROSE.split_whitespace().count() as u32;
    let gates = GateSpec { truncated: Truncated::Trim, ..GateSpec::default() };
    let cut = Case { gates, finish: FinishReason::Length, min: words + 3, ..case() };
    let text = format!("{PROSE} And then the water that was left over in");
    assert_eq!(cut.reason(&text), Some(Reason::TooShort));
    assert!(!cut.judge(&text).scores.contains_key("trimmed"));
}

#[test]
fn too_short() {
    let strict = Case { min: 100, ..case() };
    assert_eq!(strict.reason(PROSE), Some(Reason::TooShort));
    assert_eq!(Case { min: 60, ..case() }.reason(PROSE), None);
    let own = GateSpec { min_tokens: Some(3), ..GateSpec::default() };
    assert_eq!(Case { gates: own, min: 100, ..case() }.reason(PROSE), None, "the job's own bound");
    let score = Case { min: 100, output: OutputKind::Score, ..case() };
    assert_eq!(score.reason("4"), None, "a rating is not running text");
}

#[test]
fn too_long() {
    let gates = GateSpec { max_tokens: Some(20), ..GateSpec::default() };
    let bounded = Case { gates, ..case() };
    assert_eq!(bounded.reason(PROSE), Some(Reason::TooLong));
    assert_eq!(bounded.reason("Ice is frozen water and it floats."), None);
}

#[test]
fn prompt_echo() {
    let prompt = "Write a story for children aged two to four about a red ball. Use short \
                  sentences of three to eight words and end with a question.";
    let asked = Case { prompt, ..case() };
    assert_eq!(asked.reason(prompt), Some(Reason::PromptEcho));
    let mostly = format!("Sure! {prompt} The ball is red.");
    assert_eq!(asked.reason(&mostly), Some(Reason::PromptEcho));
    assert_eq!(asked.reason(TODDLER), None);
    let quoting = format!("A story about a red ball. {TODDLER}");
    assert_eq!(asked.reason(&quoting), None, "a title may quote the prompt");
    let chinese = Case {
        prompt: "请为儿童写一篇关于水的短文，使用简单的句子。", ..case()
    };
    assert_eq!(
        chinese.reason("请为儿童写一篇关于水的短文，使用简单的句子。"),
        Some(Reason::PromptEcho)
    );
    assert_eq!(chinese.reason("水从天上落下来，流进河里，最后到了大海。"), None);
}

#[test]
fn refusal() {
    let refusals = [
        "I'm sorry, but I can't help with that request.",
        "I’m sorry, but I cannot write about this topic.",
        "As an AI language model, I do not have personal experiences.",
        "Sorry, I am unable to provide a chapter on this subject.",
        "**I cannot fulfill this request.** It goes against my guidelines.",
        "Unfortunately, I am not able to create this content.",
    ];
    for text in refusals {
        assert_eq!(case().reason(text), Some(Reason::Refusal), "{text}");
    }
    let stories = [
        "\"I'm sorry, but I can't help you with the honey,\" said the bear.",
        "Sorry! said the mouse, and she gave the cheese back to the cat.",
        "I can't reach the honey, said the bear, and he sat down on a stone.",
        "Artificial intelligence is the study of machines that act with some purpose.",
        "Unfortunately, ice takes more room than water, and so the bottle bursts.",
    ];
    for text in stories {
        assert_eq!(case().reason(text), None, "{text}");
    }
}

#[test]
fn repetition_of_lines() {
    let looped = "Water is wet.\nIce is cold.\n".repeat(6);
    assert_eq!(case().reason(&looped), Some(Reason::Repetition));
    let verse = "Rain on the roof,\ntap, tap, tap.\nRain on the leaf,\ntap, tap, tap.\nRain in \
                 the boot,\nsplash, splash, splash!\nRain on my nose,\nand home we dash.";
    assert_eq!(case().reason(verse), None, "a refrain is no loop");
    let rules = "| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n\n| c | d |\n|---|---|\n| 3 | 4 |\n\n---\n\nEnd of both tables.";
    assert_eq!(case().reason(rules), None, "lines of a table's frame are no text");
}

#[test]
fn repetition_of_words() {
    let looped = format!("{PROSE} {}", "and the ice melts and the ice melts ".repeat(20));
    assert_eq!(case().reason(&looped), Some(Reason::Repetition));
    assert_eq!(case().reason(&"ha".repeat(5000)), Some(Reason::Repetition), "no spaces at all");
    assert_eq!(case().reason(&"水很重要。".repeat(60)), Some(Reason::Repetition));
    let bound = GateSpec { max_duplicate_ngrams: Some(1.0), ..GateSpec::default() };
    assert_eq!(Case { gates: bound, ..case() }.reason(&"ha".repeat(5000)), None);
}

#[test]
fn no_gate_is_on_with_preset_none_but_the_jobs_own() {
    let off = GateSpec { preset: GatePreset::None, ..GateSpec::default() };
    let cut = Case { gates: off.clone(), min: 100, finish: FinishReason::Length, ..case() };
    for text in ["", "I'm sorry, but I can't help with that.", "a a a a a a a a"] {
        assert_eq!(cut.reason(text), None, "{text:?}");
    }
    let own = Case { gates: GateSpec { min_tokens: Some(5), ..off }, ..case() };
    assert_eq!(own.reason("too short"), Some(Reason::TooShort));
}

#[test]
fn sixteen_mebibytes_of_anything_are_judged() {
    let size = hornbook_types::limits::ANSWER_BYTES;
    let gates = GateSpec { truncated: Truncated::Trim, ..GateSpec::default() };
    let cut = Case { gates, finish: FinishReason::Length, ..case() };
    for unit in ["a", ". ", "\n", "a\n", "\u{301}", "1.", "```\n", "'\"", "字", "\u{fb01} "] {
        let text = unit.repeat(size / unit.len());
        cut.judge(&text);
        case().judge(&text);
        hornbook_corpus::text_hash(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the text: a trimmed one is a beginning of at least 60 %, a rejected one is whole.
    #[test]
    fn trimming_keeps_enough(text in "(\\PC{0,12}[.!?。 \n]){0,20}") {
        let gates = GateSpec { truncated: Truncated::Trim, ..GateSpec::default() };
        let cut = Case { gates, finish: FinishReason::Length, min: 0, ..case() };
        let judgement = cut.judge(&text);
        prop_assert!(text.starts_with(judgement.text));
        match judgement.verdict {
            Verdict::Accepted => prop_assert!(judgement.text.len() * 10 >= text.trim_end().len() * 6),
            _ => prop_assert_eq!(judgement.text, text.as_str()),
        }
    }
}
