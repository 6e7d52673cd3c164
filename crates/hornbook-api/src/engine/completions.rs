//! `POST /v1/completions`: continues bare text.

use axum::extract::{Request, State};
use axum::response::Response;
use hornbook_inference::{Input, TOP_LOGPROBS_MAX};
use serde_json::Value;

use super::asked::Asked;
use super::fault::Fault;
use super::fields::Fields;
use super::generate::answer;
use super::limits::{CHOICES, COMPLETION_TOKENS_DEFAULT};
use super::sampling::Drawing;
use super::write::Shape;
use super::{EngineState, models};

/// Continues one text, or several.
pub(super) async fn completions(
    State(state): State<EngineState>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = read(&state, Fields::read(request).await?)?;
    answer(state, Shape::Text, asked).await
}

fn read(state: &EngineState, mut fields: Fields) -> Result<Asked, Fault> {
    models::check_completing(state, fields.text("model")?)?;
    let inputs = prompts(&mut fields)?;
    let drawing = Drawing::take(&mut fields, COMPLETION_TOKENS_DEFAULT)?;
    let logprobs = logprobs(&mut fields)?;
    // The best n of n are all of them.
    if fields.count("best_of")?.is_some_and(|best_of| best_of as usize != drawing.n) {
        let why = "answers are not ranked; ask for n of them";
        return Err(Fault::unsupported("best_of", why));
    }
    fields.finish()?;
    Asked::new(inputs, drawing, logprobs)
}

fn prompts(fields: &mut Fields) -> Result<Vec<Input>, Fault> {
    let prompts = match fields.value("prompt") {
        Some(Value::String(prompt)) => return Ok(vec![Input::Text(prompt)]),
        Some(Value::Array(prompts)) => prompts,
        _ => return Err(Fault::value("prompt", "must be a string or a list of strings")),
    };
    if !(1..=CHOICES).contains(&prompts.len()) {
        return Err(Fault::value("prompt", format!("must be 1 to {CHOICES} texts")));
    }
    let read = |prompt| match prompt {
        Value::String(prompt) => Ok(Input::Text(prompt)),
        Value::Number(_) | Value::Array(_) => {
            Err(Fault::unsupported("prompt", "token numbers are not taken; send text"))
        }
        _ => Err(Fault::value("prompt", "must be a string or a list of strings")),
    };
    prompts.into_iter().map(read).collect()
}

/// Here the number of alternatives itself says that they are wanted.
fn logprobs(fields: &mut Fields) -> Result<Option<u8>, Fault> {
    let Some(top) = fields.count("logprobs")? else { return Ok(None) };
    let top = u8::try_from(top).ok().filter(|top| *top <= TOP_LOGPROBS_MAX);
    let fault = || Fault::value("logprobs", format!("must be 0 to {TOP_LOGPROBS_MAX}"));
    top.map(Some).ok_or_else(fault)
}
