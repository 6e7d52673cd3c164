//! Every page with realistic and with hostile content, so that a template that no
//! longer fits its view fails here.

use hornbook_db::corpora::Owner;
use hornbook_types::{
    AudienceSpec, Cell, CorpusFile, CorpusState, Counts, EndpointState, GradeRange, JobState,
    TokenRange, Verdict,
};
use serde::Serialize;
use serde_json::json;
use time::macros::datetime;
use uuid::Uuid;

use super::chrome::Chrome;
use super::engine;
use super::errors::ErrorPage;
use super::login::LoginPage;
use super::view::*;
use crate::Caller;

const HOSTILE: &str = "<script>alert(1)</script>\"' onmouseover=x \u{202E}evil\u{202C} &amp; {{ 7*7 }} </textarea></title>";
const STORY: &str = "Look at the big tree.\nThe tree has green leaves. Touch a leaf. It is soft.\n\nThe sun is warm. The sun helps the tree. One, two, three birds sit in the tree. Hello, birds!\n\nGood night, tree. Good night, birds. Can you find a leaf too?";
const JOB: Uuid = Uuid::from_u128(0x0190_0a1b_2c3d_7e4f_8a5b_6c7d_8e9f_0a1b);

fn audience(
    title: &str,
    rank: Option<i16>,
    reader: &str,
    tokens: (u32, u32),
    grade: (Option<f32>, Option<f32>),
    leave_out: &[&str],
) -> Step {
    let spec = AudienceSpec {
        title: title.to_owned(),
        rank,
        reader: reader.to_owned(),
        instructions: vec![
            "Write sentences of three to eight words.".to_owned(),
            "Stay with one idea, and come back to it.".to_owned(),
            "Name things that can be seen, touched or counted.".to_owned(),
        ],
        vocabulary:
            "Words that a child of this age says every day; a new word is shown, then named."
                .to_owned(),
        leave_out: leave_out.iter().map(|item| (*item).to_owned()).collect(),
        formulas: "No formulas. Numbers up to five, said and counted.".to_owned(),
        ending: "End with a question that can be answered by pointing.".to_owned(),
        tokens: TokenRange { min: tokens.0, max: tokens.1 },
        grade: GradeRange { min: grade.0, max: grade.1 },
    };
    Step::new(&title.to_lowercase().replace(' ', "-"), 1, &spec)
}

fn ladder() -> Ladder {
    Ladder::new(vec![
        audience(
            "Graduate",
            Some(6),
            "master's and doctoral students of the field",
            (400, 2500),
            (Some(13.0), None),
            &["invented references or statistics", "motivation for beginners", "popular analogies"],
        ),
        audience(
            "College",
            Some(5),
            "undergraduates who take the course",
            (150, 2000),
            (Some(11.0), Some(16.0)),
            &["an introduction to the course", "history for its own sake"],
        ),
        audience(
            "High school",
            Some(4),
            "pupils aged 14 to 18",
            (120, 1500),
            (Some(8.0), Some(12.0)),
            &["proofs beyond algebra", "unexplained symbols"],
        ),
        audience(
            "Middle school",
            Some(3),
            "children aged 11 to 14",
            (120, 1200),
            (Some(5.0), Some(8.0)),
            &["prior knowledge taken for granted", "names before ideas", "LaTeX"],
        ),
        audience(
            "Grade school",
            Some(2),
            "children aged 6 to 11",
            (80, 700),
            (Some(2.0), Some(5.0)),
            &["jargon", "LaTeX", "long sentences"],
        ),
        audience(
            "Preschool",
            Some(1),
            "children aged 4 to 6, read aloud",
            (50, 350),
            (None, Some(2.0)),
            &["numbers above twenty", "dates", "anything frightening"],
        ),
        audience(
            "Toddler",
            Some(0),
            "children aged 2 to 4, read aloud",
            (30, 150),
            (None, Some(1.0)),
            &["dates and places far away", "abstractions", "similes that need knowledge", "fear"],
        ),
        audience(
            "General",
            None,
            "a curious adult",
            (150, 1500),
            (Some(7.0), Some(11.0)),
            &["stock openers", "lecturing"],
        ),
        audience(
            "Professional",
            None,
            "a practitioner with decisions to make",
            (150, 1800),
            (Some(10.0), Some(14.0)),
            &["theory without a decision", "standards that are not certain"],
        ),
    ])
}

fn when() -> When {
    datetime!(2026-11-23 06:08 UTC).into()
}

fn counts() -> Counts {
    Counts {
        total: 1_240,
        accepted: 700,
        rejected: 84,
        failed: 12,
        running: 64,
        ..Counts::default()
    }
}

fn job_row(name: &str, state: JobState, counts: Counts) -> JobRow {
    JobRow {
        href: format!("/jobs/{JOB}"),
        name: name.to_owned(),
        endpoints: "local".to_owned(),
        state: state.into(),
        bar: Bar::from(&counts),
        accepted: counts.accepted.to_string(),
        submitted: when(),
    }
}

fn job_rows() -> Vec<JobRow> {
    let done =
        Counts { total: 24, accepted: 19, rejected: 5, failed: 0, running: 0, ..Counts::default() };
    vec![
        job_row("photosynthesis up the ladder", JobState::Running, counts()),
        job_row(HOSTILE, JobState::Failed, Counts { total: 9, failed: 9, ..Counts::default() }),
        job_row("quickstart", JobState::SucceededWithErrors, done),
        job_row(
            "مثال على الكتابة من اليمين",
            JobState::Queued,
            Counts { total: 50, ..Counts::default() },
        ),
    ]
}

fn endpoint(name: &str, state: EndpointState, message: Option<&str>) -> EndpointCard {
    EndpointCard {
        name: name.to_owned(),
        state: state.into(),
        message: message.map(str::to_owned),
        facts: vec![
            Fact::new("Kind", "local engine"),
            Fact::new("Model", "SmolLM2-135M-Instruct"),
            Fact::new("In flight", "at most 16"),
        ],
    }
}

fn files() -> Vec<CorpusFile> {
    let file = |path: &str, rows| CorpusFile {
        path: path.to_owned(),
        bytes: 48_213,
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        rows,
        tokens: None,
    };
    vec![
        file("README.md", None),
        file("data/train-00000-of-00001.jsonl.zst", Some(19)),
        file("data/train-00000-of-00001.parquet", Some(19)),
    ]
}

fn pull() -> Vec<PullLine> {
    pull_lines("http://127.0.0.1:8080", true, JOB, &files())
}

fn choices(names: &[&str]) -> Vec<Choice> {
    names.iter().map(|name| Choice::named(name, names.get(1).copied())).collect()
}

fn seed() -> Vec<NamedValue> {
    record(
        json!({"id": "bio-014", "topic": "Photosynthesis", "subject": "biology", "text": HOSTILE})
            .as_object()
            .unwrap(),
    )
}

fn template(preview: Preview) -> TemplatePage {
    TemplatePage {
        slug: "textbook-chapter".to_owned(),
        version: 2,
        outdated: false,
        format: "textbook-chapter".to_owned(),
        output: "text",
        description: Some(
            "A chapter on one topic, with the structure its reader needs.".to_owned(),
        ),
        created: when(),
        source: pieces(
            "Write a chapter of a textbook about \"{{ seed.topic }}\" for {{ audience.reader }}.\n\n{# how, then what not #}\n{% for rule in audience.instructions %}\n- {{ rule }}\n{% endfor %}\nLeave out: {{ audience.leave_out | join(sep=\", \") }}.\n<b>not markup</b>\n",
        ),
        fields: vec!["topic".to_owned(), "subject".to_owned()],
        versions: vec![
            VersionLink { number: 2, current: true, created: when() },
            VersionLink { number: 1, current: false, created: when() },
        ],
        diff: Some(DiffForm { from: choices(&["1", "2"]), to: choices(&["2", "1"]) }),
        preview,
    }
}

fn preview() -> Preview {
    Preview {
        audiences: audience_choices(&ladder(), &["toddler".to_owned()]),
        seed_sets: choices(&["starter-curriculum"]),
        seed: 14,
        last_seed: Some(143),
        seed_count: Some("144".to_owned()),
        audience_title: "Toddler".to_owned(),
        prompt: Some(format!(
            "Write a chapter about \"Photosynthesis\" for children aged 2 to 4, read aloud.\n\n- Write sentences of three to eight words.\n- Stay with one idea, and come back to it.\n\n{HOSTILE}\n"
        )),
        tokens: "212".to_owned(),
        warnings: vec!["the seed field 'subject' is empty".to_owned()],
        record: seed(),
        problem: None,
    }
}

fn job_page(state: JobState) -> JobPage {
    let cells: Vec<Cell> = [
        ("toddler", "story", Verdict::Accepted, "", 120),
        ("toddler", "story", Verdict::Rejected, "too_short", 40),
        ("college", "textbook-chapter", Verdict::Accepted, "", 300),
        ("college", "faq", Verdict::Failed, "timeout", 12),
        ("middle-school", "textbook-chapter", Verdict::Accepted, "", 280),
        ("middle-school", "textbook-chapter", Verdict::Rejected, "repetition", 44),
    ]
    .into_iter()
    .map(|(audience, format, verdict, reason, count)| Cell {
        audience: audience.parse().unwrap(),
        format: format.parse().unwrap(),
        verdict,
        reason: reason.to_owned(),
        count,
        tokens: count * 90,
    })
    .collect();
    let sample = |seq, verdict: Verdict, text: &str| Sample {
        seq,
        href: format!("/jobs/{JOB}/documents/{seq}"),
        audience: "toddler".to_owned(),
        format: "story".to_owned(),
        verdict: verdict.into(),
        text: text.to_owned(),
        prompt: format!("Write a story about trees.\n{HOSTILE}"),
    };
    let ended = state.has_ended();
    JobPage {
        id: JOB.to_string(),
        name: format!("photosynthesis up the ladder {HOSTILE}"),
        ended,
        stream: "/v1/jobs/x/events?cursor=MTc".to_owned(),
        state: state.into(),
        message: None,
        bar: Bar::from(&counts()),
        counts: CountsText::from(&counts()),
        figures: vec![
            FigureText { label: "Ended", value: "64%".to_owned(), unit: None },
            FigureText { label: "Pace", value: "41".to_owned(), unit: Some("tokens/s") },
            FigureText { label: "Time left", value: "2 min 40 s".to_owned(), unit: None },
            FigureText { label: "Tokens written", value: "71,204".to_owned(), unit: None },
        ],
        actions: vec![
            ActionButton { verb: "pause", label: "Pause", danger: false },
            ActionButton { verb: "cancel", label: "Cancel job", danger: true },
        ],
        corpus: ended.then(|| CorpusFacts {
            rows: "19".to_owned(),
            tokens: "1,902".to_owned(),
            partial: true,
        }),
        pull: if ended { pull() } else { Vec::new() },
        errors: vec![ErrorRow {
            code: "timeout".to_owned(),
            message: format!("no answer within 120 s {HOSTILE}"),
            count: "12".to_owned(),
        }],
        grid: Grid::new(
            &cells,
            &["toddler".to_owned(), "middle-school".to_owned(), "college".to_owned()],
        ),
        reasons: vec![
            ReasonRow {
                reason: "too_short".to_owned(),
                meaning: "fewer tokens than the least".to_owned(),
                verdict: Verdict::Rejected.into(),
                count: "40".to_owned(),
                href: "/x".to_owned(),
            },
            ReasonRow {
                reason: "timeout".to_owned(),
                meaning: String::new(),
                verdict: Verdict::Failed.into(),
                count: "12".to_owned(),
                href: "/x".to_owned(),
            },
        ],
        samples: vec![
            sample(0, Verdict::Accepted, STORY),
            sample(1, Verdict::Accepted, HOSTILE),
            sample(7, Verdict::Rejected, "مرحبا بالعالم. هذه جملة.\nHello."),
            sample(9, Verdict::Failed, ""),
        ],
        spent: vec![EndpointUseRow {
            name: "gpu-box".to_owned(),
            documents: "784".to_owned(),
            prompt_tokens: "90,210".to_owned(),
            completion_tokens: "71,204".to_owned(),
            cost: "$0.1522".to_owned(),
        }],
        recipe: vec![RecipeRow {
            template: "story@1".to_owned(),
            template_href: "/templates/story?version=1".to_owned(),
            audience: "toddler@1".to_owned(),
            audience_href: "/audiences/toddler?version=1".to_owned(),
            prompts: "620".to_owned(),
        }],
        settings: vec![
            Fact::new("temperature", "0.6"),
            Fact::new("top p", "0.95"),
            Fact::new("most tokens", "200"),
            Fact::new("endpoints", "local"),
        ],
        events: vec![
            EventRow { at: when(), text: "running".to_owned() },
            EventRow { at: when(), text: HOSTILE.to_owned() },
        ],
    }
}

fn document(text: &str, verdict: Verdict) -> DocumentPage {
    DocumentPage {
        id: JOB.to_string(),
        name: HOSTILE.to_owned(),
        seq: 14,
        verdict: verdict.into(),
        reason: (verdict != Verdict::Accepted).then(|| "too_short".to_owned()),
        meaning: "fewer tokens than the least".to_owned(),
        error: None,
        audience: "toddler".to_owned(),
        format: "story".to_owned(),
        text: text.to_owned(),
        cut: true,
        raw: format!("/v1/jobs/{JOB}/documents/14"),
        prompt: format!("Write a story about trees.\n{HOSTILE}"),
        provenance: vec![
            Fact::new("Template", "story@1").link("/templates/story?version=1".to_owned()),
            Fact::new("Endpoint", "local"),
            Fact::new("Model", "SmolLM2-135M-Instruct.Q4_1.gguf"),
            Fact::new("Sampling seed", "18446744073709551615"),
        ],
        seed: serde_json::to_string_pretty(&json!({"topic": "Trees", "text": HOSTILE})).unwrap(),
        scores: vec![Score { label: "duplicate_ngrams".to_owned(), value: "0.02".to_owned() }],
        previous: Some(format!("/jobs/{JOB}/documents/13")),
        next: Some(format!("/jobs/{JOB}/documents/15")),
    }
}

fn documents(rows: bool) -> DocumentsPage {
    let row = |seq, opening: &str, verdict: Verdict| DocumentRow {
        seq,
        href: format!("/jobs/{JOB}/documents/{seq}"),
        opening: opening.to_owned(),
        audience: "toddler".to_owned(),
        format: "story".to_owned(),
        verdict: verdict.into(),
        reason: (verdict != Verdict::Accepted).then(|| "too_short".to_owned()),
        tokens: "61".to_owned(),
    };
    DocumentsPage {
        id: JOB.to_string(),
        name: HOSTILE.to_owned(),
        filter: Filter {
            verdicts: choices(&["all", "accepted"]),
            audiences: choices(&["all"]),
            formats: choices(&["all"]),
            reason: Some("too_short".to_owned()),
        },
        documents: if rows {
            vec![
                row(0, "Look at the big tree. The tree has green leaves.", Verdict::Accepted),
                row(1, HOSTILE, Verdict::Rejected),
            ]
        } else {
            Vec::new()
        },
        next: Some("/x?cursor=a&b".to_owned()),
        first: None,
    }
}

fn seed_set() -> SeedSetRow {
    let field =
        |name: &str, count: &str| FieldCount { name: name.to_owned(), count: count.to_owned() };
    SeedSetRow {
        slug: "starter-curriculum".to_owned(),
        version: 1,
        count: "144".to_owned(),
        license: "CC0-1.0".to_owned(),
        source: None,
        fields: vec![field("topic", "144"), field("subject", "144"), field(HOSTILE, "2")],
        created: when(),
    }
}

fn imports() -> ImportsPage {
    let import = |state, error: Option<&str>| ImportRow {
        slug: "debian-docs".to_owned(),
        version: 2,
        state,
        rows: "12,345".to_owned(),
        tokens: "9,876,543".to_owned(),
        license: HOSTILE.to_owned(),
        redistribution: "unknown",
        from: HOSTILE.to_owned(),
        source: Some(HOSTILE.to_owned()),
        error: error.map(str::to_owned),
        created: when(),
    };
    ImportsPage {
        imports: vec![import("ready", None), import("failed", Some(HOSTILE))],
        benchmarks: vec![BenchmarkRow {
            name: "humaneval".to_owned(),
            version: 1,
            items: "164".to_owned(),
            created: when(),
        }],
        import_line: HOSTILE.to_owned(),
        benchmark_line: HOSTILE.to_owned(),
    }
}

fn new_job(faults: Vec<String>, ready: bool) -> NewJobPage {
    NewJobPage {
        ready,
        faults,
        form: JobForm {
            name: HOSTILE.to_owned(),
            seed_sets: choices(&["starter-curriculum"]),
            templates: choices(&[
                "story",
                "textbook-chapter",
                "how-to",
                "dialogue",
                "blog-post",
                "worked-problems",
            ]),
            audiences: audience_choices(&ladder(), &["toddler".to_owned(), "college".to_owned()]),
            endpoints: choices(&["local"]),
            documents: "24".to_owned(),
            max_tokens: "200".to_owned(),
            truncated: choices(&["reject", "trim"]),
            paired: true,
            counted: choices(&["prompts", "accepted"]),
            budget_tokens: "5000".to_owned(),
            budget_usd: String::new(),
        },
    }
}

fn corpora(some: bool) -> CorporaPage {
    let card = |name: &str, partial| CorpusCard {
        id: JOB.to_string(),
        name: name.to_owned(),
        partial,
        rows: "19".to_owned(),
        tokens: "1,902".to_owned(),
        size: "96.4 KB".to_owned(),
        published: when(),
        pull: pull(),
        files: files()
            .into_iter()
            .map(|file| FileRow {
                href: format!("/v1/jobs/{JOB}/corpus/files/{}", file.path),
                path: file.path,
                rows: file.rows.map(|rows| rows.to_string()),
                size: "48.2 KB".to_owned(),
                sha256: file.sha256,
            })
            .collect(),
    };
    let mixed = |name: &str, state, partial| MixedRow {
        href: format!("/corpora/{JOB}"),
        name: name.to_owned(),
        state: StateMark::from(state),
        partial,
        sources: "ponds, web".to_owned(),
        rows: "64".to_owned(),
        tokens: "12,345".to_owned(),
        submitted: when(),
    };
    CorporaPage {
        mixed: if some {
            vec![
                mixed("web and synthetic", CorpusState::Ready, false),
                mixed(HOSTILE, CorpusState::Failed, true),
            ]
        } else {
            Vec::new()
        },
        more_mixed: some.then(|| "/corpora?mixed=abc".to_owned()),
        corpora: if some {
            vec![card("quickstart", false), card(HOSTILE, true)]
        } else {
            Vec::new()
        },
        next: None,
        first: None,
    }
}

fn mixed_page(state: CorpusState) -> MixedPage {
    let owner = Owner::Mixed(JOB);
    let ready = state == CorpusState::Ready;
    let source = |name: &str, of: &str, part: &str| SourceRow {
        name: name.to_owned(),
        of: of.to_owned(),
        href: Some(format!("/jobs/{JOB}")),
        part: part.to_owned(),
        epochs: "4".to_owned(),
    };
    let line = |name: &str, shortfall: &str| LineRow {
        name: name.to_owned(),
        available: "1,200,000".to_owned(),
        wanted: "700,000".to_owned(),
        had: "699,871".to_owned(),
        epochs: "0.58".to_owned(),
        shortfall: shortfall.to_owned(),
    };
    MixedPage {
        id: JOB.to_string(),
        name: HOSTILE.to_owned(),
        state: state.into(),
        ended: state.has_ended(),
        message: (state == CorpusState::Failed).then(|| HOSTILE.to_owned()),
        figures: if ready {
            vec![Fact::new("Rows", "64"), Fact::new("Tokens", "12,345")]
        } else {
            Vec::new()
        },
        partial: ready,
        sources: vec![
            source("ponds", &format!("job {JOB}"), "weight 0.7"),
            source("web", "import web", "300,000 tokens"),
        ],
        settings: vec![Fact::new("Duplicates dropped", "exact")],
        stages: vec![Fact::named("Dropped: duplicate_exact".to_owned(), "3".to_owned())],
        lines: if ready { vec![line("ponds", "0"), line("web", "129")] } else { Vec::new() },
        warnings: if ready { vec![HOSTILE.to_owned()] } else { Vec::new() },
        plan_href: ready.then(|| "/corpora/plan?available_tokens=12345".to_owned()),
        pull: if ready {
            pull_lines("http://127.0.0.1:8080", true, owner, &files())
        } else {
            Vec::new()
        },
        files: if ready {
            files().into_iter().map(|file| file_row(owner, file)).collect()
        } else {
            Vec::new()
        },
        may_write: true,
    }
}

fn new_mix(faults: Vec<String>, some: bool) -> NewMixPage {
    let source = |label: &str, selected| SourceChoice {
        value: format!("job:{JOB}"),
        label: label.to_owned(),
        detail: "job, 19 documents, succeeded".to_owned(),
        selected,
        weight: "0.7".to_owned(),
        epochs: String::new(),
    };
    NewMixPage {
        faults,
        form: MixForm {
            name: HOSTILE.to_owned(),
            presets: choices(&["", "cosmopedia-v2"]),
            tokens: String::new(),
            dedup: choices(&["exact", "near", "none"]),
            sources: if some {
                vec![source("ponds", true), source(HOSTILE, false)]
            } else {
                Vec::new()
            },
        },
        post_line: "curl --json @corpus.json http://127.0.0.1:8080/v1/corpora".to_owned(),
    }
}

/// Renders one page, checks what holds for all, and keeps it when asked to.
fn show(file: &str, template: &str, chrome: &Chrome, view: &impl Serialize) {
    let html =
        engine::render(template, chrome, view).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(html.starts_with("<!doctype html>"), "{file}");
    for raw in
        ["<script>alert", "</textarea></title>", "style=", " onmouseover=x", "\u{202E}evil</title>"]
    {
        let allowed = raw == " onmouseover=x" && html.contains("&#39; onmouseover=x");
        assert!(allowed || !html.contains(raw), "{file} has {raw}");
    }
    assert!(
        !html.contains("49</") && !html.contains(">null<") && !html.contains("undefined"),
        "{file}"
    );
    assert_eq!(html.matches("<h1").count(), 1, "{file} needs one first heading");
    assert!(!html.contains("<script>") && !html.contains("<style"), "{file} has inline code");
    #[expect(clippy::disallowed_methods, reason = "a designer asks for the pages this way")]
    if let Some(folder) = std::env::var_os("HORNBOOK_PAGE_SAMPLES") {
        std::fs::write(std::path::Path::new(&folder).join(file), html).unwrap();
    }
}

#[test]
fn renders_every_page_with_samples() {
    let at = |section| Chrome::new(&Caller::Local, section);
    let lists = |section| at(section).exact();
    let ladder = ladder();
    let tally = |count: &str| {
        vec![
            Tally { href: "/audiences", count: count.to_owned(), label: "audiences" },
            Tally { href: "/templates", count: count.to_owned(), label: "templates" },
            Tally { href: "/seed-sets", count: count.to_owned(), label: "seed sets" },
            Tally { href: "/endpoints", count: count.to_owned(), label: "endpoints" },
        ]
    };
    show(
        "home.html",
        "home.html",
        &lists("home"),
        &HomePage {
            troubled: vec![endpoint(
                "local",
                EndpointState::Unavailable,
                Some("the model file is missing; fetch it with: hornbook model pull"),
            )],
            jobs: job_rows(),
            tally: tally("9"),
            ladder: ladder.clone(),
        },
    );
    show(
        "home-empty.html",
        "home.html",
        &lists("home"),
        &HomePage {
            troubled: Vec::new(),
            jobs: Vec::new(),
            tally: tally("0"),
            ladder: Ladder::default(),
        },
    );
    show(
        "audiences.html",
        "audiences.html",
        &lists("audiences"),
        &AudiencesPage {
            all: ladder.all(),
            ladder: ladder.clone(),
            put_line: "curl -X PUT".to_owned(),
        },
    );
    show(
        "audiences-empty.html",
        "audiences.html",
        &lists("audiences"),
        &AudiencesPage { all: Vec::new(), ladder: Ladder::default(), put_line: HOSTILE.to_owned() },
    );
    show(
        "audience.html",
        "audience.html",
        &at("audiences"),
        &AudiencePage {
            step: ladder.rungs[0].clone(),
            rank_text: Some("rung 1 of 7".to_owned()),
            outdated: true,
            versions: vec![VersionLink { number: 1, current: true, created: when() }],
            templates: vec![LabelledLink {
                href: "/templates/story?audience=toddler".to_owned(),
                label: "story".to_owned(),
            }],
        },
    );
    let rows = ["textbook-chapter", "story", "how-to", "blog-post", "dialogue", "worked-problems"]
        .map(|slug| GridRow {
            slug: slug.to_owned(),
            version: 1,
            format: slug.to_owned(),
            output: "text",
            description: Some(
                "A text of one kind, with the structure that its reader needs.".to_owned(),
            ),
        });
    show(
        "templates.html",
        "templates.html",
        &lists("templates"),
        &TemplatesPage { audiences: ladder.all(), rows: rows.into(), put_line: String::new() },
    );
    show(
        "templates-empty.html",
        "templates.html",
        &lists("templates"),
        &TemplatesPage { audiences: Vec::new(), rows: Vec::new(), put_line: HOSTILE.to_owned() },
    );
    show("template.html", "template.html", &at("templates"), &template(preview()));
    show(
        "template-problem.html",
        "template.html",
        &at("templates"),
        &template(Preview { problem: Some(HOSTILE.to_owned()), prompt: None, ..preview() }),
    );
    let line = |kind, old, new, text: &str| DiffLine { kind, old, new, text: text.to_owned() };
    show(
        "diff.html",
        "diff.html",
        &at("templates"),
        &DiffPage {
            slug: "story".to_owned(),
            from: 1,
            to: 2,
            added: 1,
            removed: 1,
            lines: vec![
                line("same", Some(1), Some(1), "Write a story for {{ audience.reader }}."),
                line("del", Some(2), None, HOSTILE),
                line("add", None, Some(2), "Keep it short."),
                line("same", Some(3), Some(3), ""),
            ],
        },
    );
    show(
        "diff-none.html",
        "diff.html",
        &at("templates"),
        &DiffPage {
            slug: "story".to_owned(),
            from: 1,
            to: 1,
            added: 0,
            removed: 0,
            lines: Vec::new(),
        },
    );
    show("imports.html", "imports.html", &lists("imports"), &imports());
    show(
        "imports-empty.html",
        "imports.html",
        &lists("imports"),
        &ImportsPage { imports: Vec::new(), benchmarks: Vec::new(), ..imports() },
    );
    show("seed_sets.html", "seed_sets.html", &lists("seed-sets"), &SeedSetsPage { sets: vec![seed_set()], put_line: "curl -T seeds.ndjson -H 'content-type: application/x-ndjson' 'http://127.0.0.1:8080/v1/seed-sets/my-topics?license=CC0-1.0'".to_owned() });
    show(
        "seed_sets-empty.html",
        "seed_sets.html",
        &lists("seed-sets"),
        &SeedSetsPage { sets: Vec::new(), put_line: HOSTILE.to_owned() },
    );
    show(
        "seed_set.html",
        "seed_set.html",
        &at("seed-sets"),
        &SeedSetPage {
            set: seed_set(),
            seeds: (0..5).map(|seq| SeedCard { seq, record: seed() }).collect(),
            next: Some("/seed-sets/x?from=50".to_owned()),
            first: Some("/seed-sets/x".to_owned()),
        },
    );
    show(
        "jobs.html",
        "jobs.html",
        &lists("jobs"),
        &JobsPage {
            jobs: job_rows(),
            next: Some("/jobs?cursor=x".to_owned()),
            first: None,
            post_line: String::new(),
        },
    );
    show(
        "jobs-empty.html",
        "jobs.html",
        &lists("jobs"),
        &JobsPage {
            jobs: Vec::new(),
            next: None,
            first: None,
            post_line: "curl --json @job.json http://127.0.0.1:8080/v1/jobs".to_owned(),
        },
    );
    show("job.html", "job.html", &at("jobs"), &job_page(JobState::Running));
    show("job-done.html", "job.html", &at("jobs"), &job_page(JobState::SucceededWithErrors));
    let empty = JobPage {
        message: Some(HOSTILE.to_owned()),
        samples: Vec::new(),
        events: Vec::new(),
        reasons: Vec::new(),
        errors: Vec::new(),
        grid: Grid::default(),
        actions: Vec::new(),
        ..job_page(JobState::Queued)
    };
    show("job-queued.html", "job.html", &at("jobs"), &empty);
    show(
        "job_new.html",
        "job_new.html",
        &at("jobs"),
        &new_job(vec![format!("/name: {HOSTILE}")], true),
    );
    show("job_new-missing.html", "job_new.html", &at("jobs"), &new_job(Vec::new(), false));
    show("documents.html", "documents.html", &at("jobs"), &documents(true));
    show("documents-empty.html", "documents.html", &at("jobs"), &documents(false));
    show("document.html", "document.html", &at("jobs"), &document(STORY, Verdict::Accepted));
    show(
        "document-hostile.html",
        "document.html",
        &at("jobs"),
        &document(&HOSTILE.repeat(20), Verdict::Rejected),
    );
    show("document-failed.html", "document.html", &at("jobs"), &document("", Verdict::Failed));
    show("corpora.html", "corpora.html", &lists("corpora"), &corpora(true));
    show("corpora-empty.html", "corpora.html", &lists("corpora"), &corpora(false));
    for state in CorpusState::ALL {
        let file = format!("corpus-{}.html", state.as_str());
        show(&file, "corpus.html", &at("corpora"), &mixed_page(state));
    }
    let plan = |faults: Vec<String>| PlanPage {
        form: PlanForm {
            models: HOSTILE.to_owned(),
            tokens: String::new(),
            flops: "1e20".to_owned(),
            available_tokens: "28000000000".to_owned(),
            max_epochs: "4".to_owned(),
        },
        has_available: true,
        rows: if faults.is_empty() {
            vec![PlanLine {
                model: "135M".to_owned(),
                goal: "as SmolLM was trained",
                tokens: "600 billion".to_owned(),
                least_tokens: "150 billion".to_owned(),
                least_documents: "209 million".to_owned(),
                epochs: "21.43".to_owned(),
                missing: "170 million".to_owned(),
                warnings: vec!["21.4 epochs: past 4, repeated text is worth less".to_owned()],
            }]
        } else {
            Vec::new()
        },
        sources: vec!["20 tokens per parameter: Hoffmann et al. 2022".to_owned()],
        faults,
    };
    show("plan.html", "plan.html", &at("corpora"), &plan(Vec::new()));
    show("plan-faults.html", "plan.html", &at("corpora"), &plan(vec![HOSTILE.to_owned()]));
    let faults = vec![format!("/name: {HOSTILE}")];
    show("corpus_new.html", "corpus_new.html", &at("corpora"), &new_mix(faults, true));
    show("corpus_new-empty.html", "corpus_new.html", &at("corpora"), &new_mix(Vec::new(), false));
    show(
        "endpoints.html",
        "endpoints.html",
        &lists("endpoints"),
        &EndpointsPage {
            endpoints: vec![
                endpoint("local", EndpointState::Ready, None),
                endpoint("gpu-box", EndpointState::Paused, Some(HOSTILE)),
            ],
            put_line: "curl".to_owned(),
        },
    );
    show(
        "endpoints-empty.html",
        "endpoints.html",
        &lists("endpoints"),
        &EndpointsPage { endpoints: Vec::new(), put_line: HOSTILE.to_owned() },
    );
    let stranger = Chrome::new(&Caller::Anonymous, "");
    show(
        "login.html",
        "login.html",
        &stranger,
        &LoginPage {
            fault: Some("The key is unknown, revoked or not well-formed.".to_owned()),
            next: HOSTILE.to_owned(),
        },
    );
    show(
        "error.html",
        "error.html",
        &at(""),
        &ErrorPage {
            status: 404,
            title: "There is no such page",
            detail: HOSTILE.to_owned(),
            request_id: Some("0190".to_owned()),
        },
    );
}
