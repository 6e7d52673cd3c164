//! The plan's laws: a bijection, exact shares, a permutation of seeds, and the same for ever.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use hornbook_prompt::{Plan, Prompter, ResolvedLine, ResolvedSeedSet, estimate_tokens, pin};
use hornbook_types::{JobSpec, PinnedJobSpec, SeedRecord};
use proptest::prelude::*;
use serde_json::json;

fn line(template: &str, body: &str) -> ResolvedLine {
    ResolvedLine {
        template: template.parse().unwrap(),
        template_spec: serde_json::from_value(json!({"format": "story", "body": body})).unwrap(),
        audience: "toddler@1".parse().unwrap(),
        audience_spec: serde_json::from_value(json!({
            "title": "Toddler", "reader": "children of two", "instructions": ["Be short."],
            "vocabulary": "Few words.", "leave_out": [], "formulas": "None.", "ending": "Smile.",
            "tokens": {"min": 30, "max": 60}, "grade": {},
        }))
        .unwrap(),
    }
}

fn job(lines: usize, extra: serde_json::Value) -> JobSpec {
    let mut spec = json!({
        "name": "a job", "seeds": "starter",
        "recipe": vec![json!({"template": "story", "audience": "toddler"}); lines],
    });
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

fn seeds(count: u64) -> ResolvedSeedSet {
    ResolvedSeedSet {
        pinned: "starter@3".parse().unwrap(),
        count,
        fields: BTreeMap::from([("topic".to_owned(), count), ("extract".to_owned(), count / 2)]),
    }
}

/// A pinned job whose line i has `weights[i]` prompts.
fn pinned(weights: &[u64], seed_count: u64, job_seed: u64, paired: bool) -> PinnedJobSpec {
    let lines: Vec<_> = weights.iter().map(|_| line("story@1", "{{ seed.topic }}")).collect();
    let spec = job(
        weights.len(),
        json!({"paired": paired, "sampling": {"seed": job_seed.to_string()}, "documents": 1}),
    );
    let mut pinned = pin(&spec, &seeds(seed_count), &lines).unwrap();
    for (line, &weight) in pinned.lines.iter_mut().zip(weights) {
        line.prompts = weight;
    }
    pinned.total = weights.iter().sum();
    pinned
}

fn plan(weights: &[u64], seed_count: u64, job_seed: u64, paired: bool) -> Plan {
    Plan::new(&pinned(weights, seed_count, job_seed, paired)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn is_a_bijection_with_exact_shares(
        weights in prop::collection::vec(0u64..60, 1..12)
            .prop_filter("some prompts", |weights| weights.iter().any(|&weight| weight > 0)),
        job_seed: u64,
    ) {
        let plan = plan(&weights, 10, job_seed, false);
        let total: u64 = weights.iter().sum();
        let active = weights.iter().filter(|&&weight| weight > 0).count() as u64;
        let mut counts = vec![0u64; weights.len()];
        // Past the total too: the plan can always go on.
        for seq in 0..2 * total {
            let planned = plan.at(seq);
            prop_assert_eq!(planned.k, counts[planned.line], "a line's prompts come in order");
            prop_assert_eq!(plan.seq_of(planned.line, planned.k), Some(seq));
            counts[planned.line] += 1;
            // |count - (seq + 1) w / W| <= 1/2 + L/2 w/W, in whole numbers.
            for (&count, &weight) in counts.iter().zip(&weights) {
                let off = (2 * total * count).abs_diff(2 * (seq + 1) * weight);
                prop_assert!(off <= total + active * weight, "at {seq}: {counts:?}");
            }
            if seq + 1 == total {
                prop_assert_eq!(&counts, &weights, "shares are exact at the end");
            }
        }
    }

    #[test]
    fn equal_shares_are_within_one_at_every_prefix(lines in 1usize..20, each in 1u64..30) {
        let plan = plan(&vec![each; lines], 5, 1, false);
        let mut counts = vec![0u64; lines];
        for seq in 0..each * lines as u64 {
            counts[plan.at(seq).line] += 1;
            let (low, high) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            prop_assert!(high - low <= 1);
        }
    }

    #[test]
    fn goes_through_all_seeds_before_any_comes_again(
        seed_count in 1u64..80, job_seed: u64, paired: bool,
    ) {
        let plan = plan(&[200, 90], seed_count, job_seed, paired);
        for line in 0..2 {
            for round in 0..2 {
                let mut seen: Vec<u64> = (0..seed_count)
                    .map(|turn| plan.seq_of(line, round * seed_count + turn).unwrap())
                    .map(|seq| plan.at(seq).seed_seq)
                    .collect();
                seen.sort_unstable();
                prop_assert!(seen.into_iter().eq(0..seed_count));
            }
        }
    }

    #[test]
    fn paired_lines_have_the_same_seeds(job_seed: u64, seed_count in 2u64..500) {
        let plan = plan(&[40, 40, 13], seed_count, job_seed, true);
        let seed_of = |line, k| plan.at(plan.seq_of(line, k).unwrap()).seed_seq;
        for k in 0..13 {
            prop_assert_eq!(seed_of(0, k), seed_of(1, k));
            prop_assert_eq!(seed_of(0, k), seed_of(2, k));
        }
    }

    #[test]
    fn holds_at_the_largest_sizes(seq in 0u64..1_000_000_000, a in 1u64..999_999_999) {
        let weights = [a, 1_000_000_000 - a];
        let plan = plan(&weights, 50_000_000, 9, false);
        let planned = plan.at(seq);
        prop_assert!(planned.k < weights[planned.line]);
        prop_assert!(planned.seed_seq < 50_000_000);
        prop_assert_eq!(plan.seq_of(planned.line, planned.k), Some(seq));
    }
}

#[test]
fn many_uneven_lines_stay_a_bijection() {
    let weights: Vec<u64> = (0..256).map(|line| 1 + (line * line * 31) % 977).collect();
    let plan = plan(&weights, 120, 3, false);
    for seq in (0..plan.total()).step_by(397) {
        let planned = plan.at(seq);
        assert_eq!(plan.seq_of(planned.line, planned.k), Some(seq));
    }
}

#[test]
fn unpaired_lines_have_seeds_of_their_own() {
    let plan = plan(&[50, 50], 1000, 11, false);
    let seed_of = |line, k| plan.at(plan.seq_of(line, k).unwrap()).seed_seq;
    let same = (0..50).filter(|&k| seed_of(0, k) == seed_of(1, k)).count();
    assert!(same < 5, "{same} of 50 agree");
}

#[test]
fn is_pinned_for_ever() {
    let plan = plan(&[4, 3, 3], 7, 42, false);
    let rows: Vec<String> = (0..10)
        .map(|seq| plan.at(seq))
        .map(|p| format!("{} {} {} {}", p.line, p.k, p.seed_seq, p.sampling_seed))
        .collect();
    assert_eq!(rows, GOLDEN, "changing this changes every corpus");
}

const GOLDEN: [&str; 10] = [
    "0 0 5 18201609923829866926",
    "1 0 1 349537657721345199",
    "2 0 6 10461500356705537426",
    "0 1 3 17512060447358163490",
    "1 1 0 9256854615151728973",
    "2 1 0 14571115435145632807",
    "0 2 2 6931248808220138963",
    "1 2 6 14669438080895892853",
    "2 2 2 1062500319406189861",
    "0 3 4 13263182900025156664",
];

#[test]
fn pins_shares_and_everything_else() {
    let lines = vec![line("story@2", "{{ seed.topic }}"); 3];
    let mut spec = job(3, json!({"documents": 10, "metadata": {"words": "60"}, "priority": 5}));
    for (line, share) in spec.recipe.iter_mut().zip([0.5, 0.25, 0.25]) {
        line.share = Some(share);
    }
    let pinned = pin(&spec, &seeds(120), &lines).unwrap();
    assert_eq!(pinned.lines.iter().map(|line| line.prompts).collect::<Vec<_>>(), [5, 3, 2]);
    assert_eq!(pinned.total, 10);
    assert_eq!(pinned.seeds, 120);
    assert_eq!(pinned.seed_set.to_string(), "starter@3");
    assert_eq!(pinned.lines[0].template.to_string(), "story@2");
    assert_eq!(pinned.metadata["words"], "60");
    assert_eq!(pinned.priority, 5);
    let all = pin(&job(3, json!({})), &seeds(120), &lines).unwrap();
    assert_eq!(all.total, 360, "without documents: every seed with every line once");
    let plan = Plan::new(&all).unwrap();
    let pairs: std::collections::BTreeSet<_> =
        (0..360).map(|seq| plan.at(seq)).map(|p| (p.line, p.seed_seq)).collect();
    assert_eq!(pairs.len(), 360);
}

#[test]
fn says_everything_that_is_wrong_by_pointer() {
    let faults = |spec: &JobSpec, seeds: &ResolvedSeedSet, lines: &[ResolvedLine]| {
        let invalid = pin(spec, seeds, lines).unwrap_err();
        invalid.0.into_iter().map(|fault| (fault.pointer, fault.detail)).collect::<Vec<_>>()
    };
    let lines = [
        line("bare@1", "{{ seed.topic }}"),
        line("needy@4", "{{ seed.extract }}{{ seed.gone }}{{ seed.x | default(value=1) }}"),
        line("broken@1", "{{ seed."),
    ];
    let found = faults(&job(3, json!({})), &seeds(120), &lines);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0].0, "/recipe/1/template");
    assert!(found[0].1.contains("'extract', which 60 of 120 seeds"), "{}", found[0].1);
    assert!(found[1].1.contains("'gone', which 0 of 120 seeds"), "{}", found[1].1);
    assert_eq!(found[2].0, "/recipe/2/template");
    assert!(found[2].1.contains("line 1, column"), "{}", found[2].1);
    let found = faults(&job(1, json!({})), &seeds(0), &lines[..1]);
    assert_eq!(found[0].0, "/seeds");
    let found = faults(&job(1, json!({})), &seeds(2_000_000_000), &lines[..1]);
    assert_eq!(found[0].0, "/documents");
    let mut list = lines[0].clone();
    list.template_spec.output = hornbook_types::OutputKind::List;
    assert!(pin(&job(1, json!({})), &seeds(3), &[list]).unwrap_err().0[0].not_supported);
}

#[test]
fn prompts_follow_the_plan() {
    let lines =
        [line("a@1", "A {{ seed.topic }} {{ job.seq }}"), line("b@1", "B {{ seed.topic }}")];
    let pinned = pin(&job(2, json!({"documents": 8})), &seeds(5), &lines).unwrap();
    let prompter = Prompter::new(&pinned).unwrap();
    for seq in 0..8 {
        let planned = prompter.plan().at(seq);
        let record = |number: u64| SeedRecord {
            seq: number,
            data: serde_json::from_value(json!({"topic": format!("topic {number}")})).unwrap(),
        };
        let prompt = prompter.prompt(seq, &record(planned.seed_seq)).unwrap();
        let expected = if planned.line == 0 {
            format!("A topic {} {seq}", planned.seed_seq)
        } else {
            format!("B topic {}", planned.seed_seq)
        };
        assert_eq!(prompt, expected);
        assert_eq!(prompter.line(planned.line).unwrap().template, lines[planned.line].template);
        let wrong = prompter.prompt(seq, &record(planned.seed_seq + 1)).unwrap_err();
        assert!(wrong.message.contains("needs seed"), "{wrong}");
    }
    assert_eq!(estimate_tokens("12345"), 2);
}

#[test]
fn accepted_quotas_leave_the_order_to_shares_alone() {
    let lines = vec![line("story@2", "{{ seed.topic }}"); 3];
    let with = |wanted: u64, extra: serde_json::Value| {
        let mut amount = json!({"accepted": wanted});
        amount.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut spec = job(3, amount);
        for (line, share) in spec.recipe.iter_mut().zip([0.5, 0.3, 0.2]) {
            line.share = Some(share);
        }
        pin(&spec, &seeds(120), &lines)
    };
    let small = with(10, json!({})).unwrap();
    assert_eq!(small.quotas(), Some(vec![5, 3, 2]));
    assert_eq!(small.total, 30, "three candidates for each");
    assert_eq!(small.lines.iter().map(|line| line.prompts).collect::<Vec<_>>(), [15, 9, 6]);
    let large = with(1_000, json!({"max_candidates": 1_001})).unwrap();
    assert_eq!(large.quotas(), Some(vec![500, 300, 200]));
    assert_eq!(large.lines.iter().map(|line| line.prompts).sum::<u64>(), 1_001);
    let (few, many) = (Plan::new(&small).unwrap(), Plan::new(&large).unwrap());
    for seq in 0..5_000 {
        assert_eq!(few.at(seq), many.at(seq));
        for line in 0..3 {
            let below = (0..seq.min(100)).filter(|&s| few.at(s).line == line).count() as u64;
            assert!(seq > 100 || few.prompts_below(line, seq) == below);
        }
    }
    for (amount, pointer) in [
        (json!({"accepted": 0}), "/accepted"),
        (json!({"accepted": 5, "documents": 5}), "/documents"),
        (json!({"accepted": 5, "max_candidates": 4}), "/max_candidates"),
        (json!({"max_candidates": 4}), "/max_candidates"),
    ] {
        let refused = pin(&job(3, amount.clone()), &seeds(120), &lines).unwrap_err();
        assert_eq!(refused.0[0].pointer, pointer, "{amount}");
    }
}
