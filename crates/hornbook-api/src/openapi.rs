//! The OpenAPI 3.1 document: what handlers declare, and what holds for all of them.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::auth::SESSION_COOKIE;
use crate::problem::{PROBLEM_JSON, ProblemBody};

const DESCRIPTION: &str = "Templates x audiences x seeds -> documents -> corpora. Every error is \
    `application/problem+json` (RFC 9457) with a stable `code`; unknown fields and parameters are \
    errors. Every reply has `X-Request-Id`; whatever can be fetched twice has an ETag and answers \
    `If-None-Match` with 304. Lists take `limit` (1 to 200) and `cursor`. Replies to a key carry \
    `RateLimit` and `RateLimit-Policy`.";

/// The OpenAPI document as pretty JSON, as it is committed in `docs/openapi.json`.
pub fn openapi() -> String {
    let mut document = crate::router::documented(base());
    complete(&mut document);
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The document before any operation is in it.
fn base() -> OpenApi {
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("hb_<id>_<secret>")
        .description(Some(
            "An API key; its scopes are read, write and admin, each of which includes the one \
             before it. Not needed while the service is bound to loopback and no key was created.",
        ))
        .build();
    let session = ApiKeyValue::with_description(
        SESSION_COOKIE,
        "A dashboard session: POST /login trades a key for it.",
    );
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Hornbook")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(
                    LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
                ))
                .build(),
        )
        .components(Some(
            ComponentsBuilder::new()
                .schema(ProblemBody::name(), ProblemBody::schema())
                .schema("FieldError", hornbook_types::FieldError::schema())
                .security_scheme("key", SecurityScheme::Http(key))
                .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)))
                .build(),
        ))
        .build()
}

/// Adds to every operation what every operation may answer.
fn complete(document: &mut OpenApi) {
    // The router's way to say "and everything below" is not OpenAPI's.
    document.paths.paths = std::mem::take(&mut document.paths.paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    for item in document.paths.paths.values_mut() {
        if let (Some(get), Some(head)) = (&item.get, &mut item.head)
            && get.operation_id == head.operation_id
        {
            head.operation_id = head.operation_id.take().map(|id| format!("{id}_head"));
        }
        for operation in operations(item) {
            let secured = operation.security.is_some();
            let responses = &mut operation.responses.responses;
            let mut add = |status: &str, description: &str| {
                responses.entry(status.to_owned()).or_insert_with(|| problem(description).into());
            };
            if secured {
                add("401", "No key, or one that is unknown or revoked");
                add("403", "The key lacks the scope, or a page of another site sent the write");
                add("429", "More requests than the key may make; see Retry-After");
            }
            add("default", "Any other error");
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.head,
        &mut item.patch,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

fn problem(description: &str) -> utoipa::openapi::Response {
    ResponseBuilder::new()
        .description(description)
        .content(
            PROBLEM_JSON,
            ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build(),
        )
        .build()
}
