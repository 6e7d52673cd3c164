//! Which documents leak a benchmark, and which do not.

use std::io::Cursor;

use hornbook_corpus::decontaminate::{
    BenchmarkItem, Benchmarks, Decontaminator, Hit, HitLine, Mode, limits,
};
use proptest::prelude::*;

const LONG: &str = "A train leaves Springfield at 7:45 and travels 60 miles per hour toward Riverton, \
    while a second, well-known express leaves Riverton at 8:15 and travels 80 miles per hour toward \
    Springfield. If the two towns don't lie more than 350 miles apart, at what time do the trains meet?";
const SHORT: &str = "What is the boiling point of water?";

fn benchmarks(items: &[(&str, &str)]) -> Benchmarks {
    let mut benchmarks = Benchmarks::default();
    for (item_id, text) in items {
        let (item_id, text) = ((*item_id).to_owned(), (*text).to_owned());
        let item = BenchmarkItem { benchmark: "quiz".to_owned(), item_id, text };
        benchmarks.push(item).expect("a sound item");
    }
    benchmarks
}

fn strict(items: &[(&str, &str)]) -> Decontaminator {
    Decontaminator::new(&benchmarks(items), Mode::Strict)
}

fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| &*hit.item_id).collect()
}

fn in_prose(leak: &str) -> String {
    format!(
        "Rivers shape the land – slowly, over “ages”. They carry sand and silt.\n\n{leak}\n\nNow look at \
         the picture and name each part of the valley."
    )
}

fn hyphenated(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.char_indices().nth(4) {
        Some((at, _)) if word.is_ascii() => format!("{}-\n    {}", &word[..at], &word[at..]),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// However a leak was set anew, it is found where it stands.
#[test]
fn a_leak_is_found_in_any_dress() {
    let found = strict(&[("long", LONG), ("short", SHORT)]);
    for (id, item) in [("long", LONG), ("short", SHORT)] {
        let dresses = [
            item.to_owned(),
            item.to_uppercase(),
            item.replace([',', '.', '?', ':'], ""),
            item.replace([',', '.', '?', ':'], " "),
            item.replace(['\'', '-'], ""),
            item.replace(['\'', '-'], " "),
            item.replace(' ', "\n> "),
            item.replace(' ', "\r\n   "),
            item.replace(' ', ", "),
            hyphenated(item),
            item.replace('e', "e\u{301}"),
            item.replace(' ', "\0"),
        ];
        for dress in dresses {
            let document = in_prose(&dress);
            let hits = found.check(&document);
            assert_eq!(ids(&hits), [id], "{document}");
            let span = &document[hits[0].document_span.clone()];
            assert!(span.len() + 2 >= dress.trim_end_matches(['?', '.', ' ', ',']).len(), "{span}");
            assert!(dress.starts_with(&hits[0].matched), "{}", hits[0].matched);
        }
    }
    assert_eq!(found.check(&in_prose("")), []);
}

#[test]
fn half_an_item_is_a_leak_and_a_phrase_is_not() {
    let found = strict(&[("long", LONG), ("short", SHORT)]);
    let words: Vec<&str> = LONG.split_whitespace().collect();
    let half = words.len() / 2;
    for part in [&words[..half], &words[half..], &words[half / 2..half / 2 + half]] {
        let hits = found.check(&in_prose(&part.join(" ")));
        assert_eq!(ids(&hits), ["long"]);
        let item_words = hits[0].item_words.clone().expect("strict hits tell their words");
        assert_eq!(item_words.len(), part.len());
    }
    for ten in words.windows(10) {
        assert_eq!(found.check(&in_prose(&ten.join(" "))), [], "{ten:?}");
    }
    assert_eq!(found.check("What is the boiling point of salt water?"), []);
    assert_eq!(found.check("What is the boiling point of waterfalls?"), []);
    // Digits are kept: another problem of the same form is another problem.
    let found = strict(&[("sum", "What is 12 plus 30 plus 7?")]);
    assert_eq!(found.check("What is 12 plus 31 plus 7?"), []);
    assert_eq!(ids(&found.check("What is 12 plus 30 plus 7?")), ["sum"]);
}

/// A short item inside a longer one is found by itself, whatever was loaded first.
#[test]
fn the_order_of_items_does_not_matter() {
    let longer =
        format!("Read with care. {SHORT} Give the answer in degrees on Celsius' scale, please.");
    let mut items =
        vec![("b-long", longer.as_str()), ("a-short", SHORT), ("c", LONG), ("a-twin", SHORT)];
    let document = in_prose(SHORT);
    let both = in_prose(&longer);
    for _ in 0..items.len() {
        items.rotate_left(1);
        let found = strict(&items);
        assert_eq!(ids(&found.check(&document)), ["a-short", "a-twin"]);
        assert_eq!(ids(&found.check(&both)), ["b-long", "a-short", "a-twin"]);
    }
    // The published method sees one item only, and never a short one.
    let reference = Decontaminator::new(&benchmarks(&items), Mode::Reference);
    assert_eq!(reference.check(&document), []);
    assert_eq!(ids(&reference.check(&both)), ["b-long"]);
    assert_eq!(reference.not_checked().len(), 2);
}

/// The published method finds what is verbatim, and half of an item only by luck.
#[test]
fn the_reference_mode_needs_half_of_the_characters() {
    let reference = Decontaminator::new(&benchmarks(&[("long", LONG)]), Mode::Reference);
    let document = in_prose(LONG);
    let hits = reference.check(&document);
    assert_eq!(ids(&hits), ["long"]);
    assert!(hits[0].ratio.is_some_and(|ratio| ratio > 0.99));
    let span = &document[hits[0].document_span.clone()];
    assert_eq!(span, "A train leaves Springfield at 7:45 and travels 60");
    let third: Vec<&str> = LONG.split_whitespace().take(15).collect();
    assert_eq!(reference.check(&third.join(" ")), []);
}

#[test]
fn scripts_without_spaces_are_found_too() {
    let item = "水素と酸素が反応すると何ができますか、その化学反応式を書きなさい";
    let found = strict(&[("chemistry", item)]);
    assert_eq!(
        ids(&found.check(&format!("次の問題を解きましょう。「{item}。」以上です。"))),
        ["chemistry"]
    );
    let wrapped: String = item.chars().flat_map(|character| [character, '\n']).collect();
    assert_eq!(ids(&found.check(&wrapped)), ["chemistry"]);
    assert_eq!(found.check("水素と酸素が反応すると水になります。"), []);
    let mixed =
        strict(&[("mixed", "Что такое H2O по-русски? 水 is the word in Chinese characters")]);
    let hits = mixed.check("ЧТО ТАКОЕ H2O ПО-РУССКИ? 水 IS THE WORD IN CHINESE CHARACTERS");
    assert_eq!(ids(&hits), ["mixed"]);
}

#[test]
fn items_that_cannot_be_decided_are_named() {
    let found = strict(&[("b", "What is the answer?"), ("a", "!!!"), ("c", SHORT)]);
    let named: Vec<_> =
        found.not_checked().iter().map(|item| (&*item.item_id, item.words)).collect();
    assert_eq!(named, [("a", 0), ("b", 4)]);
    let mut counts = found.counts();
    for text in ["What is the answer?", SHORT, "", SHORT] {
        counts.note(&found, &found.check(text));
    }
    let mut twice = found.counts();
    twice.merge(&counts);
    twice.merge(&counts);
    let report = found.report(&twice);
    assert_eq!((report.documents, report.documents_hit), (8, 4));
    let quiz = &report.benchmarks["quiz"];
    assert_eq!((quiz.items, quiz.not_checked, quiz.items_hit, quiz.documents_hit), (3, 2, 1, 4));
    assert_eq!(report.index_bytes, found.memory_bytes() as u64);
}

#[test]
fn a_hit_is_a_line_of_json() {
    let found = strict(&[("short", SHORT)]);
    let hit = found.check(&format!("Ask: {SHORT}")).remove(0);
    let line = serde_json::to_string(&HitLine { id: "doc-1", hit }).expect("JSON");
    assert_eq!(
        line,
        r#"{"id":"doc-1","benchmark":"quiz","item_id":"short","document_span":{"start":5,"end":39},"item_words":{"start":0,"end":7},"item_words_total":7,"matched":"What is the boiling point of water"}"#
    );
}

fn load(text: &[u8]) -> Result<Vec<(String, String, String)>, String> {
    let mut benchmarks = Benchmarks::default();
    benchmarks.load("quiz", Cursor::new(text)).map_err(|error| error.to_string())?;
    let items = benchmarks.items().iter();
    Ok(items
        .map(|item| (item.benchmark.clone(), item.item_id.clone(), item.text.clone()))
        .collect())
}

#[test]
fn a_benchmark_file_is_read() {
    let text = "\u{feff}{\"item_id\": \"a\", \"text\": \"x\"}\r\n\r\n{\"benchmark\": \"other\", \"item_id\": 7, \"text\": \"é\", \"more\": []}";
    let items = load(text.as_bytes()).expect("sound");
    let expected = [("quiz", "a", "x"), ("other", "7", "é")];
    let items: Vec<_> =
        items.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    assert_eq!(items, expected);
}

#[test]
fn a_faulty_benchmark_file_is_named_with_its_line() {
    let good = r#"{"item_id": "a", "text": "x"}"#;
    for (line, said) in [
        (r#"{"item_id": "b", "text": " \n "}"#, "the item's text is empty"),
        (r#"{"item_id": "b"}"#, "missing field `text`"),
        (r#"{"item_id": "", "text": "x"}"#, "'item_id' needs 1 to 256 bytes"),
        (r#"{"item_id": null, "text": "x"}"#, "'item_id' is not a string"),
        (r#"{"item_id": "b", "text": "x""#, "EOF while parsing an object at its end"),
        (r#"["quiz", "b", "x"]"#, "not a JSON object"),
        (r#"{"item_id": "b", "text": "x"} x"#, "trailing characters at column 31"),
    ] {
        let failure = load(format!("{good}\n\n{line}\n{good}").as_bytes()).expect_err(line);
        assert!(failure.starts_with("benchmark 'quiz', line 3: "), "{failure}");
        assert!(failure.contains(said), "{failure}");
    }
    let failure = load(b"{\"item_id\": \"a\", \"text\": \"\xff\"}").expect_err("not UTF-8");
    assert!(failure.starts_with("benchmark 'quiz', line 1: "), "{failure}");
    for empty in ["", "\n \r\n", "\u{feff}"] {
        assert_eq!(load(empty.as_bytes()).expect_err("empty"), "benchmark 'quiz' has no items");
    }
    let endless = vec![b'x'; limits::BENCHMARK_LINE_BYTES_MAX + 2];
    let failure = load(&endless).expect_err("too large");
    assert_eq!(failure, "benchmark 'quiz', line 1: the line is larger than 4194304 bytes");
}

/// Texts that nobody would write end with an answer, and a leak in the middle of them is found.
#[test]
fn hostile_texts_are_answered() {
    let repeated = "buffalo ".repeat(600);
    let items =
        [("long", LONG), ("short", SHORT), ("repeated", repeated.as_str()), ("a", "a b c d e 7")];
    let found = strict(&items);
    let million = 1 << 20;
    let floods = [
        "buffalo ".repeat(million / 8),
        "x".repeat(million),
        "\0".repeat(million),
        "\u{301}".repeat(million / 2),
        format!("e{}", "\u{301}\u{93f}".repeat(million / 5)),
        "水".repeat(million / 3),
        "ﷺ".repeat(million / 3),
        "\u{ad}\u{200b}-\n".repeat(million / 7),
        "which of the following is ".repeat(million / 26),
    ];
    for flood in &floods {
        let before = ids_of(&found, flood);
        for (id, item) in [("long", LONG), ("short", SHORT), ("a", "a b c d e 7")] {
            let hits = ids_of(&found, &format!("{flood} {item} {flood}"));
            assert!(hits.contains(&id.to_owned()), "{id} {hits:?}");
            assert_eq!(hits.len(), before.len() + 1, "{id} {hits:?}");
        }
    }
    assert_eq!(ids_of(&found, &floods[0]), ["repeated"]);
    let reference = Decontaminator::new(&benchmarks(&items), Mode::Reference);
    assert_eq!(ids_of(&reference, &"buffalo ".repeat(10_000)), ["repeated"]);
    assert_eq!(ids_of(&reference, &floods[4]), [""; 0]);
}

fn ids_of(found: &Decontaminator, text: &str) -> Vec<String> {
    found.check(text).into_iter().map(|hit| hit.item_id.to_string()).collect()
}

#[test]
fn a_document_that_holds_everything_lists_a_bounded_number() {
    let texts: Vec<String> = (0..2 * limits::HITS_MAX)
        .map(|number| format!("Name the capital of district number {number} in Ruritania"))
        .collect();
    let ids: Vec<String> = (0..texts.len()).map(|number| format!("{number:04}")).collect();
    let mut items: Vec<(&str, &str)> =
        ids.iter().zip(&texts).map(|(id, text)| (id.as_str(), text.as_str())).collect();
    let hits = strict(&items).check(&texts.join(". "));
    assert_eq!(hits.len(), limits::HITS_MAX);
    assert!(hits.is_sorted_by_key(|hit| hit.document_span.start));
    items.reverse();
    assert_eq!(ids_of(&strict(&items), &texts.join(". ")), ids_of_hits(&hits));
}

fn ids_of_hits(hits: &[Hit]) -> Vec<String> {
    hits.iter().map(|hit| hit.item_id.to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No text makes it panic, spans lie inside the text, and a whole item is found in any surroundings.
    #[test]
    fn any_surroundings_will_do(before in "\\PC{0,200}", after in "\\PC{0,200}", item in "[a-zé0-9水]{1,9}( [a-zA-Z0-9,.水ß-]{1,9}){0,30}") {
        let mut benchmarks = Benchmarks::default();
        let push = benchmarks.push(BenchmarkItem { benchmark: "b".into(), item_id: "i".into(), text: item.clone() });
        prop_assert!(push.is_ok());
        let found = Decontaminator::new(&benchmarks, Mode::Strict);
        let text = format!("{before} {item} {after}");
        let hits = found.check(&text);
        prop_assert_eq!(hits.len(), 1 - found.not_checked().len(), "{:?}", found.not_checked());
        for hit in hits {
            prop_assert!(text.get(hit.document_span.clone()).is_some());
        }
        let reference = Decontaminator::new(&benchmarks, Mode::Reference);
        for hit in reference.check(&text) {
            prop_assert!(text.get(hit.document_span.clone()).is_some());
        }
    }
}
