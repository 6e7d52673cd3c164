//! What charges: the meters that templates are rewritten with, and the library's filters and methods
//! that make more than they are given.

use std::borrow::Cow;

use minijinja::value::{Kwargs, Rest, StringInput, ValueKind, from_args};
use minijinja::{Environment, Error, State, Value, escape_formatter, filters};
use minijinja_contrib::pycompat;

use super::meter::{Meter, VALUE_BYTES, charge, charge_each, plain, refused};

/// How far a text is indented where nothing is said.
const INDENT: usize = 4;
/// Widest indentation of JSON.
const JSON_INDENT_MAX: usize = 8;
/// What JSON that is indented so may be longer than the values it shows, at the deepest.
const JSON_GROWTH: u64 = 32;
/// Filters that no chat template needs and whose cost is hard to foresee.
const LEFT_OUT: [&str; 4] = ["batch", "format", "pprint", "slice"];

/// Sets up everything that charges.
pub(super) fn install(environment: &mut Environment<'_>) {
    environment.set_formatter(|out, state, value| {
        charge(state, value)?;
        escape_formatter(out, state, value)
    });
    environment.set_unknown_method_callback(method);
    environment.remove_global("debug");
    LEFT_OUT.into_iter().for_each(|name| environment.remove_filter(name));
    environment.add_filter("data", |state: &State, value: Value| {
        charge(state, &value)?;
        Ok::<_, Error>(value)
    });
    environment.add_filter("size", |state: &State, value: Value| {
        let outermost = value.as_str().map(str::len).or_else(|| value.len());
        Meter::of(state).take(VALUE_BYTES + outermost.unwrap_or_default() as u64)?;
        Ok::<_, Error>(value)
    });
    environment.add_filter("plain", plain);
    environment.add_filter("times", times);
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("trim", trim);
    environment.add_filter("indent", indent);
    environment.add_filter("tojson", tojson);
    environment.add_filter("map", |state: &State, value: Value, args: Rest<Value>| {
        charge_each(state, &value, &args)?;
        filters::map(state, value, args)
    });
    type Test<'a> = Option<Cow<'a, str>>;
    environment.add_filter(
        "select",
        |state: &State, value: Value, test: Test, args: Rest<Value>| {
            charge_each(state, &value, &args)?;
            filters::select(state, value, test, args)
        },
    );
    environment.add_filter(
        "reject",
        |state: &State, value: Value, test: Test, args: Rest<Value>| {
            charge_each(state, &value, &args)?;
            filters::reject(state, value, test, args)
        },
    );
    environment.add_filter(
        "selectattr",
        |state: &State, value: Value, name: Cow<str>, test: Test, args: Rest<Value>| {
            charge_each(state, &value, &args)?;
            filters::selectattr(state, value, name, test, args)
        },
    );
    environment.add_filter(
        "rejectattr",
        |state: &State, value: Value, name: Cow<str>, test: Test, args: Rest<Value>| {
            charge_each(state, &value, &args)?;
            filters::rejectattr(state, value, name, test, args)
        },
    );
}

/// The operator `*`.
fn times(state: &State<'_, '_>, left: Value, right: Value) -> Result<Value, Error> {
    let repeated = match (left.as_str(), right.as_str()) {
        (Some(text), None) => Some((text, &right)),
        (None, Some(text)) => Some((text, &left)),
        _ => None,
    };
    if let Some((text, count)) = repeated {
        let count = usize::try_from(count.clone())?;
        Meter::of(state).take((text.len() as u64).saturating_mul(count as u64))?;
        return Ok(Value::from(text.repeat(count)));
    }
    if !left.is_number() || !right.is_number() {
        return Err(refused("only numbers and texts can be multiplied"));
    }
    if left.is_integer() && right.is_integer() {
        let product = i128::try_from(left)?.checked_mul(i128::try_from(right)?);
        let product = product.ok_or_else(|| refused("a product is too large"))?;
        return Ok(i64::try_from(product).map_or_else(|_| Value::from(product), Value::from));
    }
    Ok(Value::from(f64::try_from(left)? * f64::try_from(right)?))
}

fn charge_replaced(state: &State<'_, '_>, text: &str, from: &str, to: &str) -> Result<(), Error> {
    let found = text.matches(from).count() as u64;
    Meter::of(state).take(text.len() as u64 + found.saturating_mul(to.len() as u64))
}

fn replace(
    state: &State<'_, '_>,
    text: StringInput<'_>,
    from: StringInput<'_>,
    to: StringInput<'_>,
) -> Result<Value, Error> {
    charge_replaced(state, text.as_str(), from.as_str(), to.as_str())?;
    filters::replace(state, text, from, to)
}

fn charge_joined(state: &State<'_, '_>, values: &Value, joiner: &str) -> Result<(), Error> {
    charge(state, values)?;
    let count = values.len().unwrap_or_default() as u64;
    Meter::of(state).take(count.saturating_mul(joiner.len() as u64))
}

fn join(
    state: &State<'_, '_>,
    values: &Value,
    joiner: Option<StringInput<'_>>,
) -> Result<Value, Error> {
    charge_joined(state, values, joiner.as_ref().map_or("", StringInput::as_str))?;
    filters::join(state, values, joiner)
}

/// Each character at the ends is looked for among `characters`.
fn charge_trimmed(state: &State<'_, '_>, text: &str, characters: &str) -> Result<(), Error> {
    Meter::of(state).take((text.len() as u64).saturating_mul(characters.len() as u64))
}

fn trim(
    state: &State<'_, '_>,
    text: StringInput<'_>,
    characters: Option<Cow<'_, str>>,
) -> Result<Value, Error> {
    charge_trimmed(state, text.as_str(), characters.as_deref().unwrap_or_default())?;
    Ok(filters::trim(text, characters))
}

fn indent(state: &State<'_, '_>, text: StringInput<'_>, args: Rest<Value>) -> Result<Value, Error> {
    type Args = (Option<usize>, Option<bool>, Option<bool>, Kwargs);
    let (width, first, blank, options): Args = from_args(&args)?;
    let named = options.get::<Option<usize>>("width")?;
    let each = width.or(named).unwrap_or(INDENT) as u64;
    let lines = text.as_str().lines().count() as u64 + 1;
    Meter::of(state).take(lines.saturating_mul(each))?;
    filters::indent(text, width, first, blank, options)
}

fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<Value, Error> {
    let once = charge(state, value)?;
    let named = options.get::<Option<Value>>("indent")?;
    if let Some(width) = indent.as_ref().or(named.as_ref()) {
        if usize::try_from(width.clone()).is_ok_and(|width| width > JSON_INDENT_MAX) {
            return Err(refused(format!("it indents JSON by more than {JSON_INDENT_MAX}")));
        }
        Meter::of(state).take(once.saturating_mul(JSON_GROWTH))?;
    }
    filters::tojson(value, indent, options)
}

/// Every place may show every argument. A width is refused: it could be any number.
fn charge_formatted(state: &State<'_, '_>, text: &str, args: &[Value]) -> Result<(), Error> {
    let places = text.split('{').skip(1);
    if places.clone().any(|place| place.split('}').next().unwrap_or(place).contains(':')) {
        return Err(refused("it formats a text with widths"));
    }
    let count = places.count() as u64;
    args.iter().try_for_each(|arg| {
        let once = charge(state, arg)?;
        Meter::of(state).take(once.saturating_mul(count))
    })
}

/// Python's methods of texts, lists and maps.
fn method(
    state: &State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    args.iter().try_for_each(|arg| charge(state, arg).map(drop))?;
    let texts: Vec<&str> = args.iter().map_while(Value::as_str).collect();
    if let Some(text) = value.as_str() {
        match (name, texts.as_slice()) {
            // The library would look for nothing for ever.
            ("count", [""]) => return Ok(Value::from(text.chars().count() + 1)),
            ("format", _) => charge_formatted(state, text, args)?,
            ("replace", [from, to, ..]) => charge_replaced(state, text, from, to)?,
            ("strip" | "lstrip" | "rstrip", [characters, ..]) => {
                charge_trimmed(state, text, characters)?;
            }
            ("join", _) => {
                args.iter().try_for_each(|values| charge_joined(state, values, text))?;
            }
            _ => (),
        }
    } else if value.kind() == ValueKind::Seq {
        // Each element is compared.
        charge(state, value)?;
        charge_each(state, value, args)?;
    }
    pycompat::unknown_method_callback(state, value, name, args)
}
