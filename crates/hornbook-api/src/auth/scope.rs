//! Extractors that let a handler run only for callers who may.

use axum::extract::FromRequestParts;
use hornbook_types::Scope;
use http::request::Parts;

use super::Caller;
use crate::Problem;

macro_rules! scope_extractor {
    ($name:ident, $scope:expr, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug)]
        pub struct $name(pub Caller);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
                let caller = parts.extensions.get::<Caller>().cloned().unwrap_or(Caller::Anonymous);
                caller.require($scope)?;
                Ok(Self(caller))
            }
        }
    };
}

scope_extractor!(CanRead, Scope::Read, "A caller who may look at everything but secrets.");
scope_extractor!(CanWrite, Scope::Write, "A caller who may submit jobs and write content.");
scope_extractor!(CanAdmin, Scope::Admin, "A caller who may manage endpoints and keys.");
