//! Near deduplication: who stays does not depend on how it is done, and is similar enough to whoever goes.

use std::collections::BTreeSet;

use hornbook_corpus::AssembleError;
use hornbook_corpus::near::{
    Decisions, NearConfig, NearDedup, NearScheme, NearStats, Signature, Signer, sign_all,
};
use proptest::prelude::*;

/// Finds what is similar, as certainly as anything can: 64 bands of one row.
fn thorough() -> NearScheme {
    NearScheme::new(64, 1).expect("sound")
}

struct Run {
    scheme: NearScheme,
    threads: usize,
    memory_bytes: usize,
    threshold_per_mille: u32,
    backwards: bool,
    references: u32,
}

impl Default for Run {
    fn default() -> Self {
        let (scheme, memory_bytes) = (thorough(), 1 << 20);
        Self {
            scheme,
            threads: 1,
            memory_bytes,
            threshold_per_mille: 700,
            backwards: false,
            references: 0,
        }
    }
}

impl Run {
    fn decide(&self, documents: &[(f32, String)]) -> Decisions {
        let dir = tempfile::tempdir().expect("a directory");
        let mut near = NearDedup::new(NearConfig {
            scheme: self.scheme,
            threshold_per_mille: self.threshold_per_mille,
            memory_bytes: self.memory_bytes,
            threads: self.threads,
            scratch: dir.path().to_owned(),
        })
        .expect("a scratch directory");
        let texts: Vec<&str> = documents.iter().map(|(_, text)| text.as_str()).collect();
        let signatures = sign_all(self.scheme, self.threads, &texts);
        let mut order: Vec<u32> = (0..).take(documents.len()).collect();
        if self.backwards {
            order.reverse();
        }
        for index in order {
            let (at, signature) = (index as usize, &signatures[index as usize]);
            let added = match index < self.references {
                true => near.add_reference(index, signature),
                false => near.add(index, documents[at].0, signature),
            };
            added.expect("added");
        }
        let candidates = near.candidates().expect("candidates");
        let wanted: Vec<u32> = candidates.documents().collect();
        let mut read = Vec::new();
        let decisions = candidates
            .decide(&mut |index: u32| {
                read.push(index);
                Ok::<_, AssembleError>(documents[index as usize].1.clone())
            })
            .expect("decided");
        assert_eq!(read, wanted, "each text is read once, in ascending order");
        assert!(std::fs::read_dir(dir.path()).expect("there").next().is_none(), "nothing is left");
        decisions
    }
}

/// Words `from..to` of an endless text without repetition.
fn words(from: usize, to: usize) -> String {
    (from..to).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ")
}

fn scored(texts: &[(f32, String)]) -> Vec<(f32, String)> {
    texts.to_vec()
}

fn dropped(decisions: &Decisions) -> Vec<(u32, u32)> {
    decisions.dropped.iter().map(|it| (it.index, it.root)).collect()
}

/// Jaccard of word 5-grams, by the definition.
fn jaccard(one: &str, other: &str) -> f64 {
    let set = |text: &str| -> BTreeSet<Vec<String>> {
        let words: Vec<String> = text.to_lowercase().split(' ').map(str::to_owned).collect();
        words.windows(words.len().min(5)).map(<[_]>::to_vec).collect()
    };
    let (one, other) = (set(one), set(other));
    one.intersection(&other).count() as f64 / one.union(&other).count() as f64
}

#[test]
fn the_threshold_itself_is_a_duplicate() {
    // 70 common shingles; 30 and 31 others.
    let base = words(0, 74);
    let at = (0.0, format!("{base} {}", words(900, 930)));
    let documents = scored(&[(0.0, base.clone()), at.clone()]);
    let decisions = Run::default().decide(&documents);
    assert_eq!(dropped(&decisions), [(1, 0)]);
    assert!((decisions.dropped[0].jaccard - 0.7).abs() < 1e-6);
    assert_eq!(decisions.cluster_of(1), 0);
    assert_eq!((decisions.root_of(0), decisions.root_of(1)), (None, Some(0)));
    let below = (0.0, format!("{base} {}", words(900, 931)));
    let decisions = Run::default().decide(&[(0.0, base), below]);
    assert_eq!((dropped(&decisions), decisions.stats.candidate_pairs), (vec![], 1));
    assert!(decisions.clusters.is_empty());
    let exact = Run { threshold_per_mille: 1_000, ..Run::default() };
    assert_eq!(dropped(&exact.decide(&documents)), []);
}

#[test]
fn the_best_stays_and_of_equals_the_first() {
    let text = words(0, 200);
    let variant = |number: usize| format!("{text} end{number}");
    let documents: Vec<(f32, String)> = [1.0, 2.0, f32::NAN, 2.0, -1.0]
        .into_iter()
        .zip(0..)
        .map(|(score, it)| (score, variant(it)))
        .collect();
    let decisions = Run::default().decide(&documents);
    assert_eq!(dropped(&decisions), [(0, 1), (2, 1), (3, 1), (4, 1)]);
    assert_eq!(decisions.clusters, (0..5).map(|index| (index, 0)).collect::<Vec<_>>());
    let equal: Vec<_> = (0..5).map(|it| (0.5, variant(it))).collect();
    assert_eq!(dropped(&Run::default().decide(&equal)), [(1, 0), (2, 0), (3, 0), (4, 0)]);
}

#[test]
fn a_chain_does_not_take_its_ends() {
    // Neighbours are similar (90 of 110), the ends are not (80 of 120).
    let links = [words(0, 104), words(10, 114), words(20, 124)];
    let chain = |scores: [f32; 3]| -> Vec<(f32, String)> {
        scores.into_iter().zip(links.clone()).collect()
    };
    assert!(jaccard(&links[0], &links[1]) >= 0.7 && jaccard(&links[0], &links[2]) < 0.7);
    let ends = Run::default().decide(&chain([2.0, 1.0, 0.0]));
    assert_eq!(dropped(&ends), [(1, 0)]);
    let middle = Run::default().decide(&chain([1.0, 2.0, 0.0]));
    assert_eq!(dropped(&middle), [(0, 1), (2, 1)]);
    // The cluster holds both ends all the same: a split must not part them.
    for decisions in [ends, middle] {
        assert_eq!(decisions.clusters, [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(decisions.stats.clusters, 1);
    }
}

#[test]
fn references_stay_and_take_what_is_similar() {
    let text = words(0, 300);
    let documents: Vec<(f32, String)> =
        (0..4).map(|it| (it as f32, format!("{text} end{it}"))).collect();
    let run = Run { references: 2, ..Run::default() };
    let decisions = run.decide(&documents);
    assert_eq!(dropped(&decisions), [(2, 0), (3, 0)]);
    assert_eq!((decisions.stats.references, decisions.stats.candidate_pairs), (2, 5));
}

#[test]
fn short_and_empty_texts() {
    let texts = ["one two", "One, TWO!", "two one", "", " … ", "one two three four", "one"];
    let documents: Vec<(f32, String)> = texts.map(|text| (0.0, text.to_owned())).to_vec();
    let decisions = Run::default().decide(&documents);
    assert_eq!(dropped(&decisions), [(1, 0)]);
    assert_eq!(decisions.stats.without_words, 2);
    assert_eq!(Run::default().decide(&[]), Decisions::default());
}

#[test]
fn hostile_texts_are_decided_too() {
    let zalgo = format!("a{}", "\u{301}".repeat(300_000));
    let texts = [
        "x".repeat(3 << 20),
        "word ".repeat(1 << 20),
        "word ".repeat(1 << 19),
        "\u{0}".repeat(1 << 20),
        zalgo.clone(),
        format!("{zalgo} b"),
        "水".repeat(1 << 20),
        "a\u{0}b\u{0}c\u{0}d\u{0}e".to_owned(),
        "a b c d e".to_owned(),
    ];
    let documents: Vec<(f32, String)> = texts.map(|text| (0.0, text)).to_vec();
    let decisions = Run { threads: 2, ..Run::default() }.decide(&documents);
    // One word a million times is one shingle, however often.
    assert_eq!(dropped(&decisions), [(2, 1), (5, 4), (8, 7)]);
}

#[test]
fn a_bucket_of_everything_is_not_quadratic() {
    // Every document begins with the same long text, and half of it is its own: none is a duplicate, all may meet.
    const DOCUMENTS: u64 = 1_000;
    let boilerplate = words(0, 60);
    let documents: Vec<(f32, String)> = (1..=DOCUMENTS as usize)
        .map(|it| (0.0, format!("{boilerplate} {}", words(it * 1_000, it * 1_000 + 30))))
        .collect();
    let decisions =
        Run { scheme: NearScheme::new(4, 1).expect("sound"), ..Run::default() }.decide(&documents);
    let NearStats { candidate_pairs, largest_bucket, pairs_passed_over, .. } = decisions.stats;
    assert!(decisions.dropped.is_empty());
    assert!(largest_bucket > DOCUMENTS / 3 && pairs_passed_over > 10_000, "{:?}", decisions.stats);
    assert!((1..=4 * 16 * DOCUMENTS).contains(&candidate_pairs), "{candidate_pairs}");
    // Copies beyond the first 16 of a bucket are found all the same.
    let copies: Vec<_> = (0..DOCUMENTS).map(|_| (0.0, boilerplate.clone())).collect();
    let decisions = Run::default().decide(&copies);
    assert_eq!(decisions.stats.dropped, DOCUMENTS - 1);
    assert!(decisions.dropped.iter().all(|it| it.root == 0));
}

#[test]
fn what_a_killed_run_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let left = dir.path().join("near-dedup");
    std::fs::create_dir(&left).expect("made");
    std::fs::write(left.join("bands-1"), "half a rec").expect("written");
    std::fs::write(dir.path().join("mine"), "kept").expect("written");
    let mut near = NearDedup::new(NearConfig::new(dir.path())).expect("begun");
    assert!(!left.join("bands-1").exists());
    let mut signer = Signer::new(NearScheme::DEFAULT);
    for index in 0..2 {
        near.add(index, 0.0, &signer.sign("the same few words in both")).expect("added");
    }
    let decisions = near
        .candidates()
        .and_then(|it| it.decide(&mut |_: u32| Ok("the same few words in both".to_owned())));
    assert_eq!(dropped(&decisions.expect("decided")), [(1, 0)]);
    assert!(!left.exists() && dir.path().join("mine").exists());
}

#[test]
fn errors_name_the_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let other = Signer::new(NearScheme::COMPARABLE).sign("a text");
    let mut near = NearDedup::new(NearConfig::new(dir.path())).expect("begun");
    let error = near.add(7, 0.0, &other).expect_err("another scheme");
    assert_eq!(error.to_string(), "document 7 has a signature of another scheme");
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("written");
    let Err(error) = NearDedup::new(NearConfig::new(&file)) else {
        panic!("a file is no directory")
    };
    assert!(error.to_string().contains("near-dedup"), "{error}");
    let mut signer = Signer::new(NearScheme::DEFAULT);
    for index in 0..2 {
        near.add(index, 0.0, &signer.sign("a text")).expect("added");
    }
    let stopped = near.candidates().expect("two").decide(&mut |_: u32| Err(AssembleError::Stopped));
    assert!(matches!(stopped, Err(AssembleError::Stopped)));
}

#[test]
fn a_signature_comes_back_from_its_bytes() {
    let mut signer = Signer::new(NearScheme::DEFAULT);
    for text in ["", "some words", &words(0, 500)] {
        let signature = signer.sign(text);
        let bytes = signature.to_bytes();
        assert_eq!(bytes.len(), NearScheme::DEFAULT.signature_bytes());
        assert_eq!(Signature::from_bytes(NearScheme::DEFAULT, &bytes), Some(signature.clone()));
        assert_eq!(signature.is_empty(), text.is_empty());
        assert_eq!(Signature::from_bytes(NearScheme::COMPARABLE, &bytes), None);
        assert_eq!(Signature::from_bytes(NearScheme::DEFAULT, &bytes[1..]), None);
    }
    let damaged = [vec![1; 80], vec![0; 80]].concat();
    assert_eq!(Signature::from_bytes(NearScheme::DEFAULT, &damaged), None);
}

/// Documents cut out of few texts, so that many are similar.
fn corpus() -> impl Strategy<Value = Vec<(f32, String)>> {
    let document =
        (0..4_usize, 0..30_usize, 40..80_usize, 0..3_u8).prop_map(|(text, from, len, score)| {
            let from = 1_000 * text + from;
            (f32::from(score), words(from, from + len))
        });
    prop::collection::vec(document, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Nobody goes without cause, no pair that was found survives, and the set is the lexicographically first.
    #[test]
    fn who_stays_is_decided_by_priority(documents in corpus()) {
        let decisions = Run::default().decide(&documents);
        let similar = |a: usize, b: usize| jaccard(&documents[a].1, &documents[b].1) >= 0.7;
        let mut order: Vec<usize> = (0..documents.len()).collect();
        order.sort_by(|&a, &b| documents[b].0.total_cmp(&documents[a].0).then(a.cmp(&b)));
        let (mut kept, mut expected) = (Vec::new(), Vec::new());
        for &index in &order {
            match kept.iter().find(|&&it| similar(index, it)) {
                Some(&root) => expected.push((index as u32, root as u32)),
                None => kept.push(index),
            }
        }
        expected.sort_unstable();
        prop_assert_eq!(dropped(&decisions), expected);
        for it in &decisions.dropped {
            let truth = jaccard(&documents[it.index as usize].1, &documents[it.root as usize].1);
            prop_assert!((truth - f64::from(it.jaccard)).abs() < 1e-6);
            prop_assert_eq!(decisions.cluster_of(it.index), decisions.cluster_of(it.root));
        }
        for a in 0..documents.len() {
            for b in 0..a {
                if similar(a, b) {
                    prop_assert_eq!(decisions.cluster_of(a as u32), decisions.cluster_of(b as u32));
                }
            }
        }
    }

    /// Threads, memory and the order of arrival change nothing.
    #[test]
    fn nothing_else_decides(documents in corpus(), threads in 1..5_usize, backwards: bool) {
        let scheme = NearScheme::DEFAULT;
        let one = Run { scheme, memory_bytes: 64 << 20, ..Run::default() }.decide(&documents);
        let many = Run { scheme, threads, backwards, ..Run::default() }.decide(&documents);
        prop_assert_eq!(one, many);
    }
}

#[test]
fn spilling_to_disk_changes_nothing() {
    // 3,000 documents of 20 bands are 960 kB of records: beyond the half of 1 MiB that they may take.
    let documents: Vec<(f32, String)> = (0..3_000_usize)
        .map(|it| {
            ((it % 7) as f32, words(100 * (it % 1_500), 100 * (it % 1_500) + 60 + it / 1_500))
        })
        .collect();
    let scheme = NearScheme::DEFAULT;
    let in_memory = Run { scheme, memory_bytes: 64 << 20, ..Run::default() }.decide(&documents);
    let expected_dropped = in_memory.stats.dropped;
    assert_eq!(expected_dropped, 1_500);
    for threads in [1, 2, 5] {
        let spilled =
            Run { scheme, threads, backwards: threads == 2, ..Run::default() }.decide(&documents);
        assert!(spilled.scratch_peak_bytes > in_memory.scratch_peak_bytes);
        let scratch_peak_bytes = in_memory.scratch_peak_bytes;
        assert_eq!(Decisions { scratch_peak_bytes, ..spilled }, in_memory);
    }
}
