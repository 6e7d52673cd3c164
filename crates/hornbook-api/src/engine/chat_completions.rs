//! `POST /v1/chat/completions`: continues a conversation.

use axum::extract::{Request, State};
use axum::response::Response;
use hornbook_inference::TOP_LOGPROBS_MAX;
use hornbook_types::limits::MAX_TOKENS;

use super::asked::Asked;
use super::fault::Fault;
use super::fields::Fields;
use super::generate::answer;
use super::sampling::Drawing;
use super::write::Shape;
use super::{EngineState, messages, models};

/// Answers a conversation.
pub(super) async fn chat_completions(
    State(state): State<EngineState>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = read(&state, Fields::read(request).await?)?;
    answer(state, Shape::Chat, asked).await
}

fn read(state: &EngineState, mut fields: Fields) -> Result<Asked, Fault> {
    models::check_completing(state, fields.text("model")?)?;
    let input = messages::take(&mut fields)?;
    // As with OpenAI an answer may be as long as the context allows.
    let drawing = Drawing::take(&mut fields, MAX_TOKENS)?;
    let logprobs = logprobs(&mut fields)?;
    fields.finish()?;
    Asked::new(vec![input], drawing, logprobs)
}

fn logprobs(fields: &mut Fields) -> Result<Option<u8>, Fault> {
    let wanted = fields.flag("logprobs")?;
    let top = fields.count("top_logprobs")?;
    if top.is_some_and(|top| top > 0) && !wanted {
        return Err(Fault::value("top_logprobs", "goes with logprobs: true only"));
    }
    let top = u8::try_from(top.unwrap_or(0)).ok().filter(|top| *top <= TOP_LOGPROBS_MAX);
    let top = top
        .ok_or_else(|| Fault::value("top_logprobs", format!("must be 0 to {TOP_LOGPROBS_MAX}")))?;
    Ok(wanted.then_some(top))
}
