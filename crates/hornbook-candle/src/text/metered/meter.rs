//! What a rendering may touch, counted.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::value::{Object, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

/// Bytes that all steps of one rendering may make or read, together. A conversation of a megabyte
/// in a published template takes a tenth.
const DATA_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Deepest nesting of lists and maps.
const DEPTH_MAX: usize = 64;
/// What a value costs besides its text.
pub(super) const VALUE_BYTES: u64 = 64;
/// Where the meter is kept while a template renders.
const METER: &str = "hornbook.meter";
/// Objects that can come to hold themselves: nothing frees one that does.
const MUTABLE: [&str; 5] = ["Namespace", "Loop", "Macro", "Closure", "Module"];
/// Bytes that are left to one rendering.
#[derive(Debug)]
pub(super) struct Meter(AtomicU64);

impl Object for Meter {}

impl Meter {
    pub(super) fn of(state: &State<'_, '_>) -> Arc<Self> {
        state.get_or_set_temp_object(METER, || Self(AtomicU64::new(DATA_BYTES_MAX)))
    }

    pub(super) fn take(&self, bytes: u64) -> Result<(), Error> {
        // One thread renders; the number is atomic because objects are shared by type.
        let left = self.0.load(Ordering::Relaxed).checked_sub(bytes).ok_or_else(|| {
            refused(format!("it handles more than {DATA_BYTES_MAX} bytes in all its steps"))
        })?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

pub(super) fn refused(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// Charges all that a value holds, as often as it holds it, and says how much that was.
pub(super) fn charge(state: &State<'_, '_>, value: &Value) -> Result<u64, Error> {
    walk(state, value, |_| Ok(()))
}

fn walk(
    state: &State<'_, '_>,
    value: &Value,
    check: impl Fn(&Value) -> Result<(), Error>,
) -> Result<u64, Error> {
    let meter = Meter::of(state);
    let mut charged = 0;
    let mut take = |value: &Value| {
        let bytes = VALUE_BYTES + value.as_str().map_or(0, str::len) as u64;
        charged += bytes;
        meter.take(bytes)
    };
    take(value)?;
    let mut open = vec![(value.clone(), 0)];
    while let Some((value, depth)) = open.pop() {
        check(&value)?;
        let kind = value.kind();
        if !matches!(kind, ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
            continue;
        }
        if depth == DEPTH_MAX {
            return Err(refused(format!("its values nest deeper than {DEPTH_MAX}")));
        }
        for item in value.try_iter()? {
            take(&item)?;
            if kind == ValueKind::Map {
                let held = value.get_item(&item)?;
                take(&held)?;
                open.push((held, depth + 1));
            }
            open.push((item, depth + 1));
        }
    }
    Ok(charged)
}

/// Charges a filter's or test's arguments once for every element that it is applied to.
pub(super) fn charge_each(
    state: &State<'_, '_>,
    elements: &Value,
    args: &[Value],
) -> Result<(), Error> {
    let count = elements.len().unwrap_or_default() as u64;
    for arg in args {
        let once = charge(state, arg)?;
        Meter::of(state).take(once.saturating_mul(count))?;
    }
    Ok(())
}

/// A value that is about to be kept in something that may outlive it.
pub(super) fn plain(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    walk(state, &value, |value| {
        let Some(object) = value.as_object() else { return Ok(()) };
        let name = object.type_name();
        let name = name.rsplit("::").next().unwrap_or(name);
        if MUTABLE.contains(&name) {
            return Err(refused("it keeps a namespace, loop or macro in another"));
        }
        Ok(())
    })?;
    Ok(value)
}
