//! Tera for HTML: the embedded pages, escaped by default.

use std::sync::LazyLock;

use rust_embed::RustEmbed;
use serde::Serialize;
use tera::{Context, Kwargs, State, Tera};

use super::chrome::Chrome;
use super::{assets, text};

#[derive(RustEmbed)]
#[folder = "ui/pages/"]
struct Sources;

static ENGINE: LazyLock<Result<Tera, tera::Error>> = LazyLock::new(|| {
    let names: Vec<_> = Sources::iter().collect();
    let files = names.iter().filter_map(|name| Some((name.as_ref(), Sources::get(name)?.data)));
    build(files.map(|(name, data)| (name.to_owned(), String::from_utf8_lossy(&data).into_owned())))
});

/// An engine for these pages; every one of them is HTML, so every value is escaped.
pub(super) fn build(
    pages: impl IntoIterator<Item = (String, String)>,
) -> Result<Tera, tera::Error> {
    let mut tera = Tera::new();
    tera.autoescape_on([".html"]);
    tera.register_filter("one_line", |words: &str, _: Kwargs, _: &State| text::one_line(words));
    tera.add_raw_templates(pages)?;
    tera.global_context().insert("assets", &assets::links());
    Ok(tera)
}

/// Renders the page `name`; the error is a defect of this crate, for the log.
pub(super) fn render(name: &str, chrome: &Chrome, view: &impl Serialize) -> Result<String, String> {
    let engine = ENGINE.as_ref().map_err(|error| error.to_string())?;
    render_with(engine, name, chrome, view)
}

/// Renders with a given engine.
pub(super) fn render_with(
    engine: &Tera,
    name: &str,
    chrome: &Chrome,
    view: &impl Serialize,
) -> Result<String, String> {
    let mut context = Context::from_serialize(view).map_err(|error| error.to_string())?;
    context.insert("chrome", chrome);
    engine.render(name, &context).map_err(|error| error.to_string())
}
