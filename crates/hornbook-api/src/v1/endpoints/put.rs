//! Configures an endpoint.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hornbook_db::endpoints::Secret;
use hornbook_inference::openai::ConfigError;
use hornbook_inference::{OpenAiConfig, preset};
use hornbook_types::{
    EndpointKind, EndpointLimits, EndpointPreset, EndpointPrice, EndpointSpec, FieldError, Invalid,
    LOCAL_ENDPOINT, Slug,
};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use url::Url;

use super::EndpointView;
use crate::extract::{JsonBody, slug};
use crate::{AppState, CanAdmin, Problem};

/// Longest key that an endpoint may want.
const API_KEY_BYTES: usize = 8 * 1024;

/// An endpoint as a user configures it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointWrite {
    /// What it is. Default: the preset's kind.
    #[serde(default)]
    #[schema(value_type = Option<EndpointKind>)]
    kind: Option<EndpointKind>,
    /// Make of the server behind it: which fields it takes and how they are spelled. Absent:
    /// whatever speaks the kind's protocol.
    #[serde(default)]
    #[schema(value_type = Option<EndpointPreset>)]
    preset: Option<EndpointPreset>,
    /// As the OpenAI clients spell it, ending in `/v1`; empty for the local engine. Default: where
    /// the preset's server is found.
    #[serde(default)]
    base_url: String,
    /// Model name sent with each request.
    #[serde(default)]
    model: String,
    /// Its key; write-only. Absent keeps the stored one as long as scheme, host and port of
    /// `base_url` stay; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only)]
    api_key: Option<Option<String>>,
    /// What it allows.
    #[serde(default)]
    limits: EndpointLimits,
    /// What it costs.
    #[serde(default)]
    price: EndpointPrice,
    /// Extra fields sent with every request, such as `{"reasoning_effort": "low"}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    options: Map<String, Value>,
}

/// Tells a field that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Makes or replaces an endpoint; it is ready again, whatever it was before.
#[utoipa::path(
    put, path = "/v1/endpoints/{name}", tag = "endpoints",
    params(("name" = String, Path, description = "Name")),
    request_body(content = EndpointWrite, description = "The configuration"),
    responses(
        (status = 200, description = "It was replaced", body = EndpointView),
        (status = 201, description = "It was made", body = EndpointView),
        (status = 422, description = "Some values are wrong", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn put_endpoint(
    _: CanAdmin,
    State(state): State<AppState>,
    Path(name): Path<String>,
    JsonBody(write): JsonBody<EndpointWrite>,
) -> Result<Response, Problem> {
    let name = slug(&name)?;
    let secret = match write.api_key {
        None => Secret::Keep,
        Some(None) => Secret::Clear,
        Some(Some(key)) => Secret::Set(key),
    };
    let Some(kind) = write.kind.or(write.preset.map(EndpointPreset::kind)) else {
        let fault = FieldError::new("/kind", "must be given where there is no preset");
        return Err(Problem::invalid(vec![fault]));
    };
    let spec = EndpointSpec {
        kind,
        preset: write.preset,
        base_url: match write.base_url {
            empty if empty.is_empty() && kind != EndpointKind::Local => {
                preset::row(kind, write.preset).base_url.to_owned()
            }
            given => given,
        },
        model: write.model,
        limits: write.limits,
        price: write.price,
        options: write.options,
    };
    check(&name, &spec, &secret)?;
    let (endpoint, created) = hornbook_db::endpoints::put(&state.db, &name, &spec, secret).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(LOCATION, format!("/v1/endpoints/{name}"))];
    Ok((status, location, Json(EndpointView::from(endpoint))).into_response())
}

fn check(name: &Slug, spec: &EndpointSpec, secret: &Secret) -> Result<(), Problem> {
    let mut faults = spec.check().map_or_else(|invalid| invalid.0, |()| Vec::new());
    let local = name.as_str() == LOCAL_ENDPOINT;
    if local != (spec.kind == EndpointKind::Local) {
        faults.push(FieldError::new(
            "/kind",
            "the endpoint local, and no other, is of the kind local",
        ));
    }
    let is_remote = spec.kind != EndpointKind::Local;
    if is_remote
        && let Ok(url) = Url::parse(&spec.base_url)
        && !(url.username().is_empty() && url.password().is_none())
    {
        faults.push(FieldError::new("/base_url", "must hold no password; use api_key"));
    }
    if is_remote && Url::parse(&spec.base_url).is_err() {
        faults.push(FieldError::new("/base_url", "is not a well-formed URL"));
    }
    if let Secret::Set(key) = secret {
        let sane = (1..=API_KEY_BYTES).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !sane {
            faults.push(FieldError::new("/api_key", "needs 1 to 8192 printable ASCII characters"));
        }
    }
    if faults.is_empty() && is_remote {
        faults.extend(unusable(spec));
    }
    Ok(Invalid::from_faults(faults)?)
}

/// What a worker's client would refuse, said here, where somebody can mend it.
fn unusable(spec: &EndpointSpec) -> Option<FieldError> {
    let error = OpenAiConfig::from_spec(spec, None).check().err()?;
    let pointer = match &error {
        ConfigError::BadUrl(_) => "/base_url".to_owned(),
        ConfigError::BadKey => "/api_key".to_owned(),
        ConfigError::BadOption { name, .. } => {
            format!("/options/{}", name.replace('~', "~0").replace('/', "~1"))
        }
    };
    Some(FieldError::new(pointer, error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_that_no_worker_could_use_are_named() {
        let fault = |options: Value| {
            let Value::Object(options) = options else { panic!("an object") };
            unusable(&EndpointSpec {
                kind: EndpointKind::Openai,
                preset: None,
                base_url: "https://llm.example/v1".to_owned(),
                model: "m".to_owned(),
                limits: EndpointLimits::default(),
                price: EndpointPrice::default(),
                options,
            })
            .map(|fault| fault.pointer)
        };
        assert_eq!(fault(json!({"extra_sampling": true, "reasoning_effort": "low"})), None);
        assert_eq!(fault(json!({"messages": []})).as_deref(), Some("/options/messages"));
        assert_eq!(fault(json!({"attempts": "x"})).as_deref(), Some("/options/attempts"));
    }
}
