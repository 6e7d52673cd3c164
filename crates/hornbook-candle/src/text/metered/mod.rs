//! Chat templates with a bound on data as well as on steps.

mod expression;
mod filters;
mod meter;
mod rewrite;
#[cfg(test)]
mod tests;

use minijinja::{Environment, Error, ErrorKind, Value};

use super::deep::with_deep_stack;

/// Steps that rendering a template may take; a template is as hostile as the file it came in.
const FUEL: u64 = 1_000_000;
const NAME: &str = "chat";

/// A template that renders within bounds on steps, stack and data.
pub(super) struct MeteredTemplate {
    environment: Environment<'static>,
}

impl MeteredTemplate {
    /// Parses a template; the outer error tells that no thread could be had for it.
    pub(super) fn new(source: &str) -> Result<Result<Self, String>, String> {
        // The parser goes as deep as a chain of operators is long.
        with_deep_stack(|| {
            let mut environment = Environment::new();
            environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
            environment.set_fuel(Some(FUEL));
            environment.add_function("raise_exception", |message: String| -> Result<(), _> {
                Err(Error::new(ErrorKind::InvalidOperation, message))
            });
            filters::install(&mut environment);
            environment
                .add_template_owned(NAME, rewrite::rewrite(source)?)
                .map_err(|error| error.to_string())?;
            Ok(Self { environment })
        })
    }

    /// What the template makes of those variables.
    pub(super) fn render(&self, variables: Value) -> Result<String, String> {
        // Values that a loop nests into each other are dropped as deep as it went.
        with_deep_stack(|| {
            let template = self.environment.get_template(NAME);
            template.and_then(|template| template.render(variables)).map_err(|e| e.to_string())
        })
        .flatten()
    }
}
