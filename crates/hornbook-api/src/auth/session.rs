//! Dashboard sessions: a signed cookie that stands for an API key and dies with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hornbook_types::Scope;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use sha2::Sha256;

use super::authenticate::good_key;
use super::{Caller, KeyToken};
use crate::limits::SESSION_SECONDS;
use crate::{AppState, Problem};

/// Name of the session cookie.
pub const SESSION_COOKIE: &str = "hornbook_session";

/// What a session cookie says, before anyone believed it.
pub(super) struct Claim {
    pub(super) key: String,
    expires_unix_s: i64,
    mac: Vec<u8>,
}

/// Trades an API key for a `Set-Cookie` value; 401 when the key is not good.
pub async fn start_session(state: &AppState, key: &str) -> Result<HeaderValue, Problem> {
    let refused = || Caller::Refused.refusal(Scope::Read);
    let token = KeyToken::parse(key.trim()).ok_or_else(refused)?;
    let stored = good_key(state, &token).await?.ok_or_else(refused)?;
    let expires = state.clock.now().unix_timestamp() + SESSION_SECONDS;
    let mac = sign(state, &token.id, expires, &stored.sha256);
    let value = format!("{}.{expires}.{}", token.id, URL_SAFE_NO_PAD.encode(mac));
    cookie(state, &value, SESSION_SECONDS)
}

/// A `Set-Cookie` value that ends the session in this browser.
pub fn end_session(state: &AppState) -> Result<HeaderValue, Problem> {
    cookie(state, "", 0)
}

fn cookie(state: &AppState, value: &str, max_age_seconds: i64) -> Result<HeaderValue, Problem> {
    let secure = if state.config.https() { "; Secure" } else { "" };
    HeaderValue::try_from(format!(
        "{SESSION_COOKIE}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{secure}"
    ))
    .map_err(|error| Problem::internal(&error))
}

/// The session that a request shows, if any.
pub(super) fn shown(headers: &HeaderMap) -> Option<Option<Claim>> {
    let value = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == SESSION_COOKIE).then_some(value))?;
    (!value.is_empty()).then(|| parse(value))
}

fn parse(value: &str) -> Option<Claim> {
    let mut parts = value.splitn(3, '.');
    let (key, expires, mac) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Claim {
        key: key.to_owned(),
        expires_unix_s: expires.parse().ok()?,
        mac: URL_SAFE_NO_PAD.decode(mac).ok()?,
    })
}

/// True when this service made the claim with this very key and it is still young enough.
pub(super) fn holds(state: &AppState, claim: &Claim, key_digest: &[u8]) -> bool {
    let now = state.clock.now().unix_timestamp();
    let mac = sign(state, &claim.key, claim.expires_unix_s, key_digest);
    let genuine: bool = subtle::ConstantTimeEq::ct_eq(mac.as_slice(), claim.mac.as_slice()).into();
    genuine && now < claim.expires_unix_s
}

fn sign(state: &AppState, key: &str, expires_unix_s: i64, key_digest: &[u8]) -> [u8; 32] {
    // HMAC pads a short key with zeros to the block of its hash; done here, it cannot fail.
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(&state.config.session_secret);
    let block = block.into();
    let mut mac = Hmac::<Sha256>::new(&block);
    mac.update(b"hornbook session 1\0");
    mac.update(key.as_bytes());
    mac.update(b"\0");
    mac.update(&expires_unix_s.to_be_bytes());
    mac.update(key_digest);
    mac.finalize().into_bytes().into()
}
