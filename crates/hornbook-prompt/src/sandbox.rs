//! What bounds a render.
//!
//! Tera has no fuel limit, so the sandbox makes one. Statically (checked when a template is
//! parsed): no includes, inheritance, blocks, components, captured blocks, maps, `~` or list
//! comprehensions; only the tags, filters, tests and functions named here; `for` nested at most
//! [`FOR_DEPTH`] deep; at most [`ELIF_TAGS`]
//! `elif` and [`SET_TAGS`] `set` tags, none of which keeps an array of other
//! values, so stored values never grow into one another. While rendering:
//!
//! | what could blow up | what bounds it |
//! |---|---|
//! | the prompt | the writer refuses byte [`PROMPT_BYTES`] + 1 |
//! | one loop | takes arrays of at most [`LOOP_ITEMS`]; no strings, and no maps, whose order would vary |
//! | all loops together | each turn pays the bytes of the loop's source out of [`WORK_BYTES`] |
//! | comparisons in loops | each pays [`COMPARISON_BYTES`] more out of it, a turn |
//! | filters | each pays the bytes it reads out of the same [`WORK_BYTES`] |
//! | `replace`, `join`, case changes | refuse results of more than [`SEED_BYTES`] before making them |
//! | stored values | [`SET_TAGS`] x [`SEED_BYTES`] |
//!
//! Nothing here reads files, the environment, a clock or a random source. Callers still render
//! on a bounded blocking pool with a deadline: these bounds keep a hostile render to seconds.

use std::cell::Cell;
use std::io;

use hornbook_types::limits::{PROMPT_BYTES, SEED_BYTES};
use tera::{Error, ErrorKind, Kwargs, State, Tera, TeraResult, Value};

/// Deepest nesting of `for`.
pub const FOR_DEPTH: usize = 2;
/// Most items that one loop or `range` may have.
pub const LOOP_ITEMS: usize = 1_000;
/// Most `set` tags in one template.
pub const SET_TAGS: usize = 64;
/// Most `elif` tags in one template; Tera reads each one deeper on the stack.
pub const ELIF_TAGS: usize = 64;
/// What a comparison in a loop pays at each turn: its two sides may be whole long values.
pub const COMPARISON_BYTES: usize = 512;
/// Bytes of template executed by loops, and of text read by filters, in one render.
pub const WORK_BYTES: u64 = 4 * 1024 * 1024;
/// The filters that a template may use.
pub const FILTERS: [&str; 17] = [
    "capitalize",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "nth",
    "pick",
    "replace",
    "round",
    "title",
    "trim",
    "truncate",
    "upper",
];
/// The functions that a template may call.
pub const FUNCTIONS: [&str; 1] = ["range"];
/// The tests that a template may use after `is`.
pub const TESTS: [&str; 12] = [
    "array",
    "containing",
    "defined",
    "divisible_by",
    "ending_with",
    "even",
    "map",
    "none",
    "number",
    "odd",
    "starting_with",
    "undefined",
];

/// Guards every loop's collection; no template can name it.
pub(crate) const ITEMS_FILTER: &str = "__items";
/// Called at each turn of every loop; no template can name it.
pub(crate) const SPEND_FUNCTION: &str = "__spend";

thread_local! {
    // A render runs on one thread from end to end, and Tera's functions see no state of ours.
    static WORK_LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Gives this thread's next render its whole allowance.
pub(crate) fn refill() {
    WORK_LEFT.set(WORK_BYTES);
}

fn spend(bytes: usize) -> TeraResult<()> {
    let left = WORK_LEFT.get().checked_sub(bytes as u64).ok_or_else(|| {
        Error::message(format!("the template does more than {WORK_BYTES} bytes of work"))
    })?;
    WORK_LEFT.set(left);
    Ok(())
}

/// A Tera that knows nothing but the names above.
pub(crate) fn engine() -> Tera {
    let mut tera = Tera::new();
    tera.autoescape_on(Vec::<&'static str>::new());
    tera.register_function("range", range);
    tera.register_function(SPEND_FUNCTION, |kwargs: Kwargs, _: &State| -> TeraResult<bool> {
        spend(kwargs.must_get::<usize>("bytes")?).map(|()| false)
    });
    tera.register_filter(ITEMS_FILTER, items);
    tera.register_filter("upper", |text: &str, _: Kwargs, _: &State| map(text, str::to_uppercase));
    tera.register_filter("lower", |text: &str, _: Kwargs, _: &State| map(text, str::to_lowercase));
    tera.register_filter("trim", |text: &str, _: Kwargs, _: &State| {
        map(text, |text| text.trim().to_owned())
    });
    tera.register_filter("capitalize", |text: &str, _: Kwargs, _: &State| map(text, capitalize));
    tera.register_filter("title", |text: &str, _: Kwargs, _: &State| {
        map(text, |text| {
            text.split_inclusive(char::is_whitespace).map(capitalize).collect::<String>()
        })
    });
    tera.register_filter("truncate", truncate);
    tera.register_filter("replace", replace);
    tera.register_filter("join", join);
    tera.register_filter("length", length);
    tera.register_filter("pick", pick);
    tera
}

fn too_large<T>() -> TeraResult<T> {
    Err(Error::message(format!("a value of more than {SEED_BYTES} bytes would be made")))
}

fn map(text: &str, make: impl Fn(&str) -> String) -> TeraResult<String> {
    spend(text.len())?;
    let made = make(text);
    if made.len() > 3 * SEED_BYTES { too_large() } else { Ok(made) }
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars.as_str().chars()).collect()
    })
}

fn range(kwargs: Kwargs, _: &State) -> TeraResult<Vec<i64>> {
    let start = kwargs.get::<i64>("start")?.unwrap_or(0);
    let end = kwargs.must_get::<i64>("end")?;
    let step = kwargs.get::<i64>("step_by")?.unwrap_or(1);
    if step < 1 {
        return Err(Error::message("range needs a step_by of at least 1"));
    }
    let span = i128::from(end) - i128::from(start);
    if span > LOOP_ITEMS as i128 * i128::from(step) {
        return Err(Error::message(format!("range makes at most {LOOP_ITEMS} numbers")));
    }
    spend(8 * LOOP_ITEMS)?;
    Ok((0..)
        .map_while(|turn: i64| start.checked_add(turn.checked_mul(step)?))
        .take_while(|&number| number < end)
        .collect())
}

fn items(value: Value, _: Kwargs, _: &State) -> TeraResult<Value> {
    let Some(items) = value.as_array() else {
        // Of this kind, so that the error points at the value and not at the loop.
        return Err(Error::new(ErrorKind::InvalidArgument {
            expected_type: "array".to_owned(),
            actual_type: value.name().to_owned(),
        }));
    };
    if items.len() > LOOP_ITEMS {
        let count = items.len();
        return Err(Error::message(format!("a loop has {count} items; at most {LOOP_ITEMS}")));
    }
    Ok(value)
}

fn truncate(text: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    spend(text.len())?;
    let length = kwargs.must_get::<usize>("length")?;
    let end = kwargs.get::<&str>("end")?.unwrap_or("…");
    Ok(match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}{end}", &text[..at]),
        None => text.to_owned(),
    })
}

fn replace(text: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    spend(text.len())?;
    let from = kwargs.must_get::<&str>("from")?;
    let to = kwargs.must_get::<&str>("to")?;
    if from.is_empty() {
        return Err(Error::message("replace needs something to replace in 'from'"));
    }
    let hits = text.matches(from).count();
    if text.len().saturating_add(hits.saturating_mul(to.len())) > 3 * SEED_BYTES {
        return too_large();
    }
    Ok(text.replace(from, to))
}

fn join(values: &[Value], kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let separator = kwargs.get::<&str>("sep")?.unwrap_or("");
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        // Only scalars: writing out a nested value could take any amount of memory at once.
        match value.as_str() {
            Some(text) => out.push_str(text),
            None if value.is_number() || value.is_bool() => out.push_str(&value.to_string()),
            None => {
                return Err(Error::message(format!("join cannot join a {}", value.name())));
            }
        }
        if out.len() > SEED_BYTES {
            return too_large();
        }
    }
    spend(out.len())?;
    Ok(out)
}

fn length(value: Value, _: Kwargs, _: &State) -> TeraResult<usize> {
    if let Some(text) = value.as_str() {
        spend(text.len())?;
        return Ok(text.chars().count());
    }
    match (value.as_array(), value.as_map()) {
        (Some(array), _) => Ok(array.len()),
        (_, Some(map)) => Ok(map.len()),
        _ => Err(Error::message(format!("a {} has no length", value.name()))),
    }
}

fn pick(values: &[Value], kwargs: Kwargs, _: &State) -> TeraResult<Value> {
    let number = kwargs.must_get::<u64>("n")?;
    match values.len() as u64 {
        0 => Err(Error::message("pick needs at least one value")),
        count => Ok(values[usize::try_from(number % count).unwrap_or_default()].clone()),
    }
}

/// Collects a prompt and refuses to go past its limit.
#[derive(Debug, Default)]
pub(crate) struct PromptWriter {
    pub(crate) bytes: Vec<u8>,
    pub(crate) overflowed: bool,
}

impl io::Write for PromptWriter {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > PROMPT_BYTES {
            self.overflowed = true;
            return Err(io::Error::new(io::ErrorKind::StorageFull, "prompt too long"));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
