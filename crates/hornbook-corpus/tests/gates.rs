//! Every gate refuses what it is for and passes what looks like it.

use hornbook_corpus::{Answer, Judgement, OpeningCap, judge};
use hornbook_types::{
    AudienceSpec, Ending, FinishReason, GatePreset, GateSpec, GradeRange, Language, Looped, Mask,
    OutputKind, Reason, TokenRange, Truncated, Verdict,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

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
    grade: GradeRange,
    seed: Map<String, Value>,
    prompt: &'a str,
    finish: FinishReason,
    output: OutputKind,
}

fn case<'a>() -> Case<'a> {
    Case {
        gates: GateSpec::default(),
        min: 1,
        grade: GradeRange::default(),
        seed: Map::new(),
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
            seed: &self.seed,
            finish_reason: &self.finish,
            completion_tokens: text.split_whitespace().count() as u64,
            output: self.output,
        };
        let audience = AudienceSpec { grade: self.grade, ..audience(self.min) };
        judge(&self.gates, &audience, answer)
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
fn code_with_braces_survives() {
    let block = |n: usize| {
        format!(
            "    if (value == {n}) {{\n        return;\n    }}\n    value += total - value * total;\n"
        )
    };
    let code: String = (0..60).map(block).collect();
    let lesson = format!("{PROSE}\n\n```c\nvoid f(int value) {{\n{code}}}\n```");
    let scores = case().judge(&lesson).scores;
    assert_eq!(case().reason(&lesson), None, "{scores:?}");
    assert!(
        scores["duplicate_ngrams"].as_f64() > Some(0.4),
        "only its prose is let off: {scores:?}"
    );
    let looped = format!("{PROSE}\n\n```c\n{}```", "print(value);\n".repeat(200));
    assert_eq!(case().reason(&looped), Some(Reason::Repetition), "code can go in circles too");
    let prose = "The ice melts again and again. ".repeat(30);
    assert_eq!(case().reason(&format!("{prose}\n```\nx\n```")), Some(Reason::Repetition));
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
fn seed_copy() {
    let extract = "A magnet pulls on things made of iron or steel. Every magnet has a north pole and \
                   a south pole; unlike poles pull together and like poles push apart.";
    let topic = "the magnet on the fridge";
    let seeds = |value: Value| value.as_object().cloned().unwrap_or_default();
    let seeded = Case { seed: seeds(json!({"topic": topic, "text": extract})), ..case() };
    assert_eq!(seeded.reason(extract), Some(Reason::SeedCopy));
    let mostly = format!("Magnets are everywhere. {extract} Now you know.");
    assert_eq!(seeded.reason(&mostly), Some(Reason::SeedCopy));
    let own = "Unlike poles pull together, so a magnet turns until its north pole meets the other's \
               south pole. Iron filings on paper show where the pull is strong: they gather at both \
               ends and draw curves between them.";
    assert_eq!(seeded.reason(own), None, "{:?}", seeded.judge(own).scores);
    let title = Case { seed: seeds(json!({"topic": topic, "n": 4})), ..case() };
    assert_eq!(title.reason("The magnet on the fridge holds a note."), None, "a topic is named");
    let gates = GateSpec { max_seed_copy: Some(1.0), ..GateSpec::default() };
    assert_eq!(Case { gates, ..seeded }.reason(extract), None, "the job's own bound");
}

#[test]
fn banned_opening() {
    let refused = [
        "Sure! Here is a story about a red ball. The ball was round.",
        "**Certainly! Here's** what you asked for. Water is wet.",
        "Here’s a story about a bear. He sat down.",
        "# I'd be happy to explain ice.\nIce is cold.",
    ];
    for text in refused {
        assert_eq!(case().reason(text), Some(Reason::BannedOpening), "{text}");
    }
    let passed = [
        "\"Sure! Here is the cup,\" said the bear. He sat down and drank.",
        "The bear sat down. \"Sure! Here is a story,\" he said. It was a long one.",
        "Surely, here is where the river bends. It does so because of the rock.",
        "Here is where the river bends. It does so because of the rock.",
        "Warning: never look into the sun. As requested by nobody, it shines.",
        "Once upon a time there was a bear. He sat down.",
    ];
    for text in passed {
        assert_eq!(case().reason(text), None, "{text}");
    }
    let own = vec!["Once upon  a time".to_owned(), "Straße".to_owned()];
    let gates = GateSpec { banned_openings: Some(own), ..GateSpec::default() };
    let own = Case { gates, ..case() };
    assert_eq!(own.reason(passed[5]), Some(Reason::BannedOpening));
    assert_eq!(own.reason("> ONCE UPON A\nTIME, there was a bear."), Some(Reason::BannedOpening));
    assert_eq!(own.reason("Once upon a timely day there was a bear."), None, "whole words");
    assert_eq!(own.reason("Once upon"), None, "a beginning of the phrase");
    assert_eq!(own.reason(refused[0]), None, "in place of the built-in ones");
    let none = GateSpec { banned_openings: Some(Vec::new()), ..GateSpec::default() };
    assert_eq!(Case { gates: none, ..case() }.reason(refused[0]), None);
}

#[test]
fn unfinished() {
    let broken = format!("{PROSE} The ice on the lake in winter is");
    assert_eq!(case().reason(&broken), Some(Reason::Unfinished));
    assert_eq!(
        case().reason(&format!("{PROSE} Ice is cold, hard, clear,")),
        Some(Reason::Unfinished)
    );
    let endings = [
        "\n\nThe End",
        "\n\n- Why does ice float\n- Why do lakes freeze from the top and not from below",
        "\n\n```\nfn main() {\n    let ice_is_cold_and_hard_and_so_on = true\n}\n```",
        "\n\n| ice | water |\n|---|---|\n| it is cold and hard | it is wet and runs away |",
        "\n\n$$ E = m c^2 $$",
        " He said, \"It is cold.\"",
        " (It is cold.)",
        " Or **is it?**",
        "\n\nFigure 2. The lattice of ice seen from above",
        " More of it stands at https://ice.example/lattice",
    ];
    for ending in endings {
        assert_eq!(case().reason(&format!("{PROSE}{ending}")), None, "{ending}");
    }
    let verse = "rain on the roof and rain on the leaf\nrain in the boot and home we go today";
    assert_eq!(case().reason(verse), None, "no sentence of it ends with a stop");
    let gates = GateSpec { ending: Some(Ending::Any), ..GateSpec::default() };
    assert_eq!(Case { gates, ..case() }.reason(&broken), None);
}

#[test]
fn language() {
    let german = "Eis entsteht, wenn Wasser so kalt wird, dass seine Teilchen langsamer werden und \
                  sich zu einem Gitter ordnen. Das Gitter braucht mehr Platz als die Flüssigkeit, und \
                  darum schwimmt Eis oben und sprengt die volle Flasche. Seen frieren von oben zu, und \
                  die Fische überleben den Winter im Wasser darunter.";
    let chinese = "水是生命之源。我们每天都要喝水，植物和动物也离不开它。水从天上落下来，流进河里，最后到了大海。";
    let asked = "Write a long and detailed explanation of ice for a student of eleven to fourteen.";
    let english = Case { prompt: asked, ..case() };
    for foreign in [german, chinese] {
        assert_eq!(english.reason(foreign), Some(Reason::Language), "{foreign}");
    }
    assert_eq!(english.reason(PROSE), None);
    let quoting = format!(
        "{PROSE}\n\n\"Seen frieren von oben zu, und die Fische überleben,\" wrote she. {PROSE}"
    );
    let lenient = GateSpec { max_duplicate_ngrams: Some(1.0), ..GateSpec::default() };
    assert_eq!(Case { prompt: asked, gates: lenient, ..case() }.reason(&quoting), None);
    let code = "```python\nfor element in liste:\n    drucke(element, ende, trenner, datei)\n```";
    assert_eq!(english.reason(code), None, "code is of no language");
    assert_eq!(english.reason("Guten Tag."), None, "too short to tell");
    let auf_deutsch =
        "Schreibe eine lange und ausführliche Erklärung von Eis für Kinder ab elf Jahren.";
    let deutsch = Case { prompt: auf_deutsch, ..case() };
    assert_eq!(deutsch.reason(german), None, "the language of the prompt");
    assert_eq!(deutsch.reason(PROSE), Some(Reason::Language));

    let set = |language| GateSpec { language: Some(language), ..GateSpec::default() };
    let wants = |language| Case { prompt: asked, gates: set(language), ..case() };
    assert_eq!(wants(Language::De).reason(german), None);
    assert_eq!(wants(Language::De).reason(PROSE), Some(Reason::Language));
    assert_eq!(wants(Language::Any).reason(german), None);
    assert_eq!(wants(Language::Zh).reason(chinese), None);
}

#[test]
fn readability() {
    let range = |min: Option<f32>, max: Option<f32>| GradeRange { min, max };
    let toddlers = Case { grade: range(None, Some(1.0)), ..case() };
    let scholars = Case { grade: range(Some(13.0), None), ..case() };
    let treatise = "Institutional heterogeneity complicates identification considerably, because \
        unobserved administrative characteristics simultaneously determine participation and \
        subsequent outcomes. Instrumental variables nevertheless recover interpretable quantities \
        under monotonicity, provided that compliance behaviour remains sufficiently homogeneous \
        across jurisdictions. Alternative semiparametric estimators accommodate considerably richer \
        heterogeneity, although their asymptotic distributions presuppose regularity conditions \
        whose verification remains computationally prohibitive.";
    assert_eq!(toddlers.reason(TODDLER), None);
    assert_eq!(toddlers.reason(treatise), Some(Reason::Readability));
    assert_eq!(scholars.reason(treatise), None);
    assert_eq!(scholars.reason(TODDLER), Some(Reason::Readability));
    assert_eq!(case().reason(treatise), None, "an audience without a range");
    let scores = toddlers.judge(treatise).scores;
    assert!(scores["flesch_kincaid"].as_f64() > Some(13.0), "{scores:?}");
    assert!(scores["coleman_liau"].as_f64() > Some(13.0), "{scores:?}");
    let gates = GateSpec { grade_tolerance: Some(100.0), ..GateSpec::default() };
    assert_eq!(Case { gates, ..toddlers }.reason(treatise), None, "the job's own tolerance");
    let code = format!(
        "{PROSE}\n```c\n{}```",
        "int main(void) { return internationalise(); }\n".repeat(4)
    );
    let schoolchildren = Case { grade: range(Some(5.0), Some(8.0)), ..case() };
    assert_eq!(schoolchildren.reason(&code), None, "code has no level");
}

#[test]
fn profanity_is_counted_on_request_only() {
    let text = "The shit hit the fan, and then it was fucking cold. Nobody liked it.";
    assert_eq!(case().reason(text), None);
    let most = |words| GateSpec { max_profane_words: Some(words), ..GateSpec::default() };
    assert_eq!(Case { gates: most(1), ..case() }.reason(text), Some(Reason::Profanity));
    assert_eq!(Case { gates: most(2), ..case() }.reason(text), None);
    assert_eq!(Case { gates: most(0), ..case() }.reason(TODDLER), None);
}

#[test]
fn what_is_asked_for_is_masked_in_accepted_documents() {
    let text =
        "Write to jane@example.org or call 212-555-0147. Version 1.2.3.4 came out in 2024-05-06.";
    let off = case();
    let judgement = off.judge(text);
    assert_eq!(
        (&*judgement.text, judgement.scores.get("masked_email")),
        (text, None),
        "off by default"
    );
    let gates = GateSpec { mask: vec![Mask::Email, Mask::Phone, Mask::Ip], ..GateSpec::default() };
    let masking = Case { gates, ..case() };
    let judgement = masking.judge(text);
    assert_eq!(
        judgement.text,
        "Write to [email] or call [phone]. Version 1.2.3.4 came out in 2024-05-06."
    );
    assert_eq!(
        (&judgement.scores["masked_email"], &judgement.scores["masked_phone"]),
        (&json!(1), &json!(1))
    );
    assert!(!judgement.scores.contains_key("masked_ip"));
    let refused = "I'm sorry, but I can't help with that request to jane@example.org.";
    assert_eq!(masking.judge(refused).text, refused, "a rejected answer is stored whole");
}

#[test]
fn openings_are_capped_in_order() {
    let fairy = |n: u32| format!("# Story {n}\n\nOnce upon a time, there was bear {n}.");
    let mut cap = OpeningCap::new(0.25);
    // Fifty are free; after that, a quarter of those seen so far.
    let taken = (0..100).filter(|&n| cap.take(&fairy(n))).count();
    assert_eq!(taken, 50);
    let others = (0..300).filter(|&n| cap.take(&format!("Bear number {n} sat down."))).count();
    assert_eq!(others, 300, "each begins in its own way");
    let taken = (0..100).filter(|&n| cap.take(&fairy(n))).count();
    assert_eq!(taken, 75, "a quarter of the last 400 to 500 seen, less those before");
    let mut again = OpeningCap::new(0.25);
    assert_eq!((0..100).filter(|&n| again.take(&fairy(n))).count(), 50);
    assert!((0..100).all(|_| again.take("Too short.")), "no opening at all");
}

#[test]
fn every_reason_is_tried_somewhere() {
    let later: Vec<&str> = Reason::ALL
        .into_iter()
        .filter(|reason| !Reason::ON_ARRIVAL.contains(reason))
        .map(Reason::as_str)
        .collect();
    assert!(later.contains(&"common_opening") && later.contains(&"duplicate_exact"), "{later:?}");
    let order: Vec<usize> = Reason::ON_ARRIVAL
        .iter()
        .filter_map(|reason| Reason::ALL.iter().position(|known| known == reason))
        .collect();
    assert!(order.is_sorted() && order.len() == Reason::ON_ARRIVAL.len());
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
        prop_assert!(text.starts_with(&*judgement.text));
        match judgement.verdict {
            Verdict::Accepted => prop_assert!(judgement.text.len() * 10 >= text.trim_end().len() * 6),
            _ => prop_assert_eq!(&*judgement.text, text.as_str()),
        }
    }
}
