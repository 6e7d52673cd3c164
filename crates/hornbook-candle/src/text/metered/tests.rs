//! What is left of a template once it is metered, and what is stopped.

use std::time::{Duration, Instant};

use minijinja::{Environment, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::MeteredTemplate;

/// Far longer than anything here takes, and far shorter than what it prevents.
const LONG: Duration = Duration::from_secs(60);

/// One of each thing that the language has.
#[rustfmt::skip]
const SOUND: [&str; 25] = [
    "a {{ 'b' }}\n  {% if 1 %}\nc\n{% endif %}d\n",
    "{{- 'quoted \\' \" \\n\\u0007 {{ %} é🙂' -}}",
    "{{ 1 + 2 - 3 * 4 + 2 ** 3 // 3 }} {{ 7 % 4 }} {{ 1 / 2 }} {{ 1 - (2 - 3) }}",
    "{{ 2 * 3.5 }} {{ -2 * 3 }} {{ 'ab' * 2 }} {{ 3 * 'x' }}",
    "{{ 1 ~ 2 ~ '3' }}|{{ 'a' + 'b' ~ 'c' + 'd' }}|{{ (1, 'b', [none, true]) }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ (1 == 1) == true }} {{ 'e' not in 'brief' }}",
    "{{ not 1 == 2 and 0 or 'z' }} {{ 'y' if 0 else 'n' }}{{ 'y' if 0 }}",
    "{% for m in messages if m.role != 'user' recursive %}{{ loop.index }}{{ m['content'] }}{% else %}-{% endfor %}",
    "{% for k, v in messages[1] | items %}{{ k }}={{ v | trim }};{% endfor %}",
    "{% for x in [1, [2, [3]]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}",
    "{{ messages[::-1][0].role }}{{ messages[1:]|length }}{{ 'abcdef'[1:-1:2] }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set ns = namespace(x=1) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set x %}p{{ 1 }}{% endset %}{% set y | upper | replace('Q', 'r') %}q{% endset %}{{ x }}{{ y }}",
    "{% macro f(a, b='d', c=[]) %}({{ a }}{{ b }}{{ c }}{{ caller() if caller else '' }}){% endmacro %}{{ f('1', c={'k': 2}) }}{% call f(0) %}in{% endcall %}",
    "{% macro g() %}{{ caller(5) }}{% endmacro %}{% call(n) g() %}<{{ n }}>{% endcall %}",
    "{% with a = 1, (b, c) = [2, 3] %}{{ a }}{{ b }}{{ c }}{% endwith %}{% filter upper | trim %} f {% endfilter %}",
    "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i == 3 %}{% break %}{% else %}{{ i }}{% endif %}{% endfor %}",
    "{{ missing is defined }} {{ missing | default('d') }} {{ messages[0].content.split('  ')[-1].upper() }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('+') }}",
    "{{ messages[2] | tojson }} {{ {'a': [1]} | tojson(indent=2) }}",
    "{{ 'a b'.replace(' ', '--') }} {{ 'xxaxx'.strip('x') }} {{ 'a\nb' | indent(2) }} {{ ', '.join(['p', 'q']) }}",
    "{{ dict(a=1).get('b', 'none') }} {{ 'aXbX'.count('X') }} {{ bos_token }}",
    "{% set l = [3, 1, 2] %}{{ l | sort }} {{ l | first }} {{ l | list | last }} {{ l + [4] }}",
    "{{ '{} {}{{'.format('a', 1) }}{{ '{b}{b}'.format(b=2) }}",
    "{% do [1].count(1) %}{{ [1, 1].count(1) }}",
];

/// What would take all memory or all time.
#[rustfmt::skip]
const GREEDY: [&str; 41] = [
    // Texts.
    "{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x]|join %}{% endfor %}",
    "{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set ns.x = ns.x|replace('b', 'bbb') %}{% endfor %}",
    "{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set ns.x = ns.x.replace('b', ns.x) %}{% endfor %}",
    "{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}",
    "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{% set ns = namespace(x='abc') %}{% for i in range(99) %}{% set ns.x = f(ns.x) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}LONG{% endfor %}{% endfor %}",
    "{% set x = 'a' * 100000000 ~ 'a' * 100000000 %}",
    "{{ 'LONG' * 999999 }}",
    "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = ns.x + ['a' * 1000000] %}{% endfor %}",
    "{{ range(99999)|join('LONG') }}",
    "{{ 'LONG'.join(range(99999)) }}",
    "{{ 'a\n' * 1000000 | indent(4000000000) }}",
    "{{ messages|tojson(indent=1000000000) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ ('{0}' * 1000).format('LONG' * 999) }}",
    "{{ [1]|batch(1000000000, 1)|list }}",
    "{{ [1]|slice(1000000000)|list }}",
    "{{ range(99999)|map('replace', '', 'LONG')|list }}",
    "{{ 'abc'|map('upper')|map('replace', '', 'LONG' * 99999)|list }}",
    "{{ messages|map('tojson', 1000000000)|list }}",
    // Lists.
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(62) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [*ns.x, *ns.x] %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|list }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x|tojson }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = ns.x + [range(99999)|list] %}{% endfor %}",
    "{% set f = dict %}{% set ns = namespace(x={'a': 1}) %}{% for i in range(99) %}{% set ns.x = f(ns.x, **{i|string: ns.x}) %}{% endfor %}",
    "{{ range(99999)|list * 99999 }}",
    // What holds itself is never freed.
    "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
    "{% set ns = namespace() %}{% set ns.me = [{'a': ns}] %}",
    "{% set ns = namespace() %}{% macro f() %}{{ ns }}{% endmacro %}{% set ns.me = f %}",
    "{% for i in [1] %}{{ loop.changed([loop]) }}{% endfor %}",
    // Time.
    "{% set x = 'a' * 9999999 %}{% set y = 'a' * 9999999 %}{% for i in range(99999) %}{{ x == y }}{% endfor %}",
    "{% set x = 'a' * 9999999 %}{% for i in range(99999) %}{{ x|length }}{{ x[999999] }}{% endfor %}",
    "{% set x = ('a' * 9999999 ~ 'b').strip('LONG' * 99999 ~ 'a') %}",
    "{% set x = range(99999)|list %}{{ x|select('in', x)|list }}",
    "{% macro f(n) %}{{ f([n]) }}{% endmacro %}{{ f(messages) }}",
];

fn variables() -> Value {
    let messages = [("system", "be  brief"), ("user", " a\nb \"c\" "), ("assistant", "no")]
        .map(|(role, content)| context! { role, content });
    context! { messages => Value::from_iter(messages), bos_token => "<b>" }
}

fn render(source: &str) -> Result<String, String> {
    MeteredTemplate::new(source)?.and_then(|template| template.render(variables()))
}

#[test]
fn meters_change_nothing_else() {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_unknown_method_callback(unknown_method_callback);
    for source in SOUND {
        let expected = environment.render_str(source, variables());
        assert_eq!(render(source), expected.map_err(|error| error.to_string()), "{source}");
    }
}

#[test]
fn greedy_templates_are_stopped() {
    let missed: Vec<String> = GREEDY
        .into_iter()
        .filter_map(|source| {
            let begin = Instant::now();
            let found = render(&source.replace("LONG", &"long".repeat(200)));
            let bytes = found.map(|text| text.len());
            let is_stopped = bytes.is_err() && begin.elapsed() < LONG;
            (!is_stopped).then(|| format!("{source}: {bytes:?} in {:?}", begin.elapsed()))
        })
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn nothing_is_found_everywhere() {
    // The library's own search for it never ends.
    assert_eq!(render("{{ 'abc'.count('') }}").as_deref(), Ok("4"));
}

#[test]
fn errors_name_the_source_s_line() {
    let found =
        render("a\n{% if 1 %}\n{{ 'b\n' }}\n{% set c = 1 +\n  raise_exception('no') %}{% endif %}");
    assert_eq!(found, Err("invalid operation: no (in chat:6)".to_owned()));
    let found = render("a\n\n{% for %}").expect_err("it does not parse");
    assert!(found.ends_with("(in chat:3)"), "{found}");
}

#[test]
fn other_templates_are_refused() {
    for source in ["{% block a %}{% endblock %}", "{% include 'a' %}", "{% extends 'a' %}"] {
        assert!(MeteredTemplate::new(source).expect("a thread").is_err(), "{source}");
    }
}
