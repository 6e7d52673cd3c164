//! Templates through the front door: what renders, what is refused, what is bounded.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use hornbook_prompt::{CompiledTemplate, JobContext, RenderContext, RenderError};
use hornbook_types::{AudienceSpec, GradeRange, JobSeed, Slug, TokenRange};
use serde_json::{Map, Value, json};

fn audience() -> AudienceSpec {
    AudienceSpec {
        title: "Middle school".to_owned(),
        rank: Some(3),
        reader: "children aged 11 to 14".to_owned(),
        instructions: vec!["Use analogies.".to_owned(), "Stay kind.".to_owned()],
        vocabulary: "Plain words.".to_owned(),
        leave_out: vec!["LaTeX".to_owned()],
        formulas: "None.".to_owned(),
        ending: "Ask a question.".to_owned(),
        tokens: TokenRange { min: 100, max: 400 },
        grade: GradeRange { min: Some(5.0), max: Some(8.0) },
    }
}

fn render_with(body: &str, seed: Value) -> Result<String, RenderError> {
    let seed: Map<String, Value> = serde_json::from_value(seed).unwrap();
    let slug: Slug = "middle-school".parse().unwrap();
    let metadata = BTreeMap::from([("words".to_owned(), "60 to 120".to_owned())]);
    let template = CompiledTemplate::parse(body).unwrap_or_else(|error| panic!("{body}: {error}"));
    template.render(&RenderContext {
        audience: &slug,
        audience_spec: &audience(),
        seed: &seed,
        job: JobContext { name: "a job", seed: JobSeed(42), seq: 7, metadata: &metadata },
    })
}

fn render(body: &str) -> Result<String, RenderError> {
    render_with(body, json!({"text": "water <b>&", "topic": "rain", "list": ["a", "b"], "n": 3}))
}

#[test]
fn renders_what_it_is_given() {
    for (body, expected) in [
        ("{{ seed.text }}", "water <b>&"),
        (
            "{{ seed['topic'] | upper }} for {{ audience.reader }}",
            "RAIN for children aged 11 to 14",
        ),
        (
            "{% for line in audience.instructions %}- {{ line }}\n{% endfor %}",
            "- Use analogies.\n- Stay kind.",
        ),
        ("{% for x in seed.list -%}\n {{ x }}\n{%- endfor %}!", "ab!"),
        ("{{ job.metadata.words | default(value=audience.words) }}", "60 to 120"),
        ("{{ job.metadata.none | default(value=audience.words) }}", "80 to 300"),
        (
            "{{ ['x', 'y', 'z'] | pick(n=seed.n) }} {{ job.name }} {{ job.seq }} {{ job.seed }}",
            "x a job 7 42",
        ),
        (
            "{% for i in range(end=3) %}{% for j in range(end=2) %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
            "00 01 10 11 20 21",
        ),
        ("{% set styles = ['a', 'b'] %}{{ styles | join(sep=', ') }}", "a, b"),
        ("{{ audience.tokens.max }} {{ audience.tokens }}", r#"400 {"max": 400, "min": 100}"#),
        ("{% if seed.none %}x{% else %}no{% endif %}", "no"),
        ("{% raw %}{{ seed.x }}{% endraw %}{# {{ y }} #}", "{{ seed.x }}"),
        ("{{ seed.text | truncate(length=3) | title }}", "Wat…"),
        (
            "{% for x in seed.list %}{% if loop.last %}{{ x | replace(from='b', to='c') }}{% endif %}{% endfor %}",
            "c",
        ),
    ] {
        assert_eq!(render(body).as_deref(), Ok(expected), "{body}");
    }
}

#[test]
fn a_seed_is_data() {
    let seed = json!({"text": "{{ audience.title }}{% include 'x' %} {{ __tera_context }}"});
    let prompt = render_with("{{ seed.text }}", seed.clone()).unwrap();
    assert_eq!(prompt, seed["text"].as_str().unwrap());
}

#[test]
fn draws_depend_on_the_job_alone() {
    let draw = render("{{ job.draw }}").unwrap();
    assert_eq!(draw, "3255307544", "pinned for ever");
}

#[test]
fn names_what_is_missing() {
    for (body, line, name) in [
        ("a\n{{ seed.extract }}", 2, "'seed.extract'"),
        ("{{ extract }}", 1, "'extract'"),
        ("{{ seed.extract | upper }}", 1, "'seed.extract'"),
        ("{{ seed.a.b }}", 1, "'seed.a"),
        ("\n\n{% for x in seed.items %}{{ x }}{% endfor %}", 3, "'seed.items'"),
        ("{% for x in seed.list %}\n{{ x }}{{ seed.nope }}{% endfor %}", 2, "'seed.nope'"),
        ("{{ job.metadata.tone }}", 1, "'job.metadata.tone'"),
    ] {
        let error = render(body).unwrap_err();
        assert_eq!(error.line, Some(line), "{body}: {error}");
        assert!(error.message.contains(name), "{body}: {error}");
        assert!(error.message.contains("is not defined"), "{body}: {error}");
    }
    assert!(render(" {% if false %}x{% endif %}\n").unwrap_err().message.contains("empty"));
}

#[test]
fn refuses_what_could_reach_out_or_grow() {
    for (body, line, column, part) in [
        ("{% include 'x' %}", 1, 4, "include"),
        ("{% extends 'x' %}", 1, 4, "extends"),
        ("ok\n  {% block a %}{% endblock %}", 2, 6, "block"),
        ("{% component A() %}x{% endcomponent %}", 1, 4, "component"),
        ("{{ <A /> }}", 1, 4, "components"),
        ("{% filter upper %}x{% endfilter %}", 1, 4, "filter"),
        ("{% set a %}x{% endset %}", 1, 1, "set"),
        ("{% set seed = 1 %}", 1, 8, "another value"),
        ("{% for job in seed.list %}{% endfor %}", 1, 8, "another value"),
        ("{% set a = [a, a] %}", 1, 12, "array"),
        ("{{ 'a' ~ 'b' }}", 1, 8, "'~'"),
        ("{{ {'a': 1} }}", 1, 4, "maps"),
        ("{{ [x for x in seed.list] }}", 1, 7, "lists"),
        ("{{ [...seed.list] }}", 1, 5, "spreads"),
        ("{{ seed.text[0] }}", 1, 13, "brackets"),
        ("{{ seed.text[1:] }}", 1, 13, "brackets"),
        ("{{ __tera_context }}", 1, 4, "reserved"),
        ("{{ __spend(bytes=1) }}", 1, 4, "reserved"),
        ("{{ seed.list | __items }}", 1, 16, "reserved"),
        ("{{ get_env(name='HOME') }}", 1, 4, "no function 'get_env'"),
        ("{{ now() }}", 1, 4, "no function 'now'"),
        ("{{ throw(message='x') }}", 1, 4, "no function 'throw'"),
        ("{{ seed.text | indent }}", 1, 16, "no filter 'indent'"),
        ("{{ seed.text | safe }}", 1, 16, "no filter 'safe'"),
        ("{% if seed.text is matching %}x{% endif %}", 1, 20, "no test 'matching'"),
        (
            "{% for a in seed.list %}{% for b in seed.list %}\n{% for c in seed.list %}{% endfor %}{% endfor %}{% endfor %}",
            2,
            1,
            "nested at most 2",
        ),
        ("a\nb {{ seed. }}", 2, 12, "identifier"),
        ("{% if seed.text %}never closed", 1, 1, ""),
        ("{{ 'open }}", 1, 4, "closing"),
        ("é {{ seed.text | nope }}", 1, 18, "no filter"),
    ] {
        let error = CompiledTemplate::parse(body).expect_err(body);
        assert!(error.message.contains(part), "{body}: {error}");
        if !part.is_empty() {
            assert_eq!((error.line, error.column), (line, column), "{body}: {error}");
        }
    }
    let sets = "{% set a = 1 %}".repeat(65);
    assert!(CompiledTemplate::parse(&sets).unwrap_err().message.contains("64"));
    let long = "x".repeat(64 * 1024 + 1);
    assert!(CompiledTemplate::parse(&long).unwrap_err().message.contains("65536"));
}

#[test]
fn refuses_elif_chains_before_they_overflow_the_stack() {
    for mark in ["{%", "{%-\n "] {
        let chain =
            format!("{{% if 0 %}}{}{{% endif %}}", format!("{mark} elif 0 %}}").repeat(4_000));
        let error = CompiledTemplate::parse(&chain).unwrap_err();
        assert!(error.message.contains("64 'elif'"), "{error}");
        // Nothing closes it, so that only a check of the bare text comes in time.
        let open = chain.replace("{% endif %}", "{{ ");
        assert!(CompiledTemplate::parse(&open).unwrap_err().message.contains("64 'elif'"));
    }
    // What is allowed, nested as deep as it goes, fits the stack of a test's thread.
    let deep = "{% if 0 %}{% elif 0 %}{% elif ((((((((1)))))))) %}".repeat(32)
        + "{{ seed.text }}"
        + &"{% endif %}".repeat(32);
    assert_eq!(render_with(&deep, json!({"text": "x"})).unwrap(), "x");
}

#[test]
fn bounds_what_a_render_may_do() {
    let big = json!({
        "text": "x".repeat(200_000),
        "list": vec![1; 1001],
        "thousand": vec![1; 1000],
    });
    for (body, part) in [
        ("{% for i in range(end=1001) %}{% endfor %}", "1000"),
        ("{% for x in seed.list %}{% endfor %}", "1000"),
        ("{% for k, v in seed %}{% endfor %}", "expected `array`"),
        ("{% for c in seed.text %}{% endfor %}", "expected `array`"),
        ("{{ seed.text }}", "65536"),
        (
            "{% for x in seed.thousand %}{% for y in seed.thousand %}{% if x == y %}{% endif %}{% endfor %}{% endfor %}",
            "work",
        ),
        (
            "{% for x in seed.thousand %}{% for y in range(end=9) %}{{ 'yes' if seed.list == 1 else '' }}{% endfor %}{% endfor %}",
            "work",
        ),
        (
            "{% for x in seed.thousand %}{% for y in range(end=9) %}{% if seed.text is containing(pat='y') %}{% endif %}{% endfor %}{% endfor %}",
            "work",
        ),
        (
            "{% for x in seed.thousand %}{% if seed.text | upper == seed.text %}{% endif %}{% endfor %}",
            "work",
        ),
        ("{{ seed.text | replace(from='x', to='xxxxxxxxxx') | length }}", "more than"),
        ("{{ [seed.text, seed.text, seed.text] | join | length }}", "more than"),
        ("{{ [[1]] | join }}", "cannot join"),
        (
            "{% for x in seed.thousand %}{{ '0123456789012345678901234567890123456789012345678901234567890123456789' }}{% endfor %}",
            "65536",
        ),
        (
            "{% set_global a = 2 %}{% for x in seed.thousand %}{% set_global a = a * a %}{% endfor %}",
            "unable to perform",
        ),
    ] {
        let error = render_with(body, big.clone()).expect_err(body);
        assert!(error.message.contains(part), "{body}: {error}");
    }
}
