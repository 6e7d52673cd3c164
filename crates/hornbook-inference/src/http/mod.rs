//! The one client for everything that leaves the service.
//!
//! It follows no redirect, reads no proxy from the environment and connects only to
//! addresses that its [`GuardPolicy`] allows: names are checked when they are resolved for
//! the connection itself (so a name cannot change its mind in between), addresses
//! written into the URL before anything is sent.

mod body;
mod error;
mod guard;
mod memory;
mod resolve;

use std::sync::Arc;
use std::time::Duration;

pub use body::{Body, next_piece, read_capped, stream_body};
pub use error::HttpError;
pub use guard::GuardPolicy;
pub use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};

use guard::{is_web_scheme, literal_address};

/// Longest that connecting may take, name resolution and TLS included.
pub const CONNECT_TIMEOUT_SECONDS: u64 = 10;
/// How long an idle connection is kept; shorter than common servers' own 60 s and more.
const POOL_IDLE_SECONDS: u64 = 50;

/// The guarded client; clones share one connection pool.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    policy: Arc<GuardPolicy>,
}

impl Client {
    /// A client that connects only where `policy` allows.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: GuardPolicy) -> Result<Self, HttpError> {
        let policy = Arc::new(policy);
        // A machine without root certificates can still reach plain http endpoints;
        // with no roots at all, every https connection is refused.
        let inner = builder(&policy).build().or_else(|fault| {
            tracing::warn!(%fault, "no root certificates; https connections will be refused");
            builder(&policy).tls_certs_only(Vec::<reqwest::Certificate>::new()).build()
        });
        match inner {
            Ok(inner) => Ok(Self { inner, policy }),
            Err(fault) => Err(HttpError::from_client(fault)),
        }
    }

    /// Begins a request.
    ///
    /// # Errors
    /// `BadUrl` for anything but http and https or with a password in it,
    /// `AddressRefused` for an address that the policy refuses.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, HttpError> {
        self.check(url)?;
        Ok(self.inner.request(method, url.clone()))
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// Whatever kept the answer from coming, by name; a refused address is `AddressRefused`.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, HttpError> {
        request.send().await.map_err(HttpError::from_client)
    }

    fn check(&self, url: &Url) -> Result<(), HttpError> {
        if !is_web_scheme(url) || url.host().is_none() {
            return Err(HttpError::BadUrl("only http and https URLs can be fetched".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpError::BadUrl("a URL must not hold a user name or password".into()));
        }
        match literal_address(url) {
            Some(address) if !self.policy.allows_address(address) => {
                Err(HttpError::AddressRefused(address.to_string()))
            }
            _ => Ok(()),
        }
    }
}

fn builder(policy: &Arc<GuardPolicy>) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        // Attempts are counted against endpoint limits, so none happens out of sight.
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_SECONDS))
        .pool_idle_timeout(Duration::from_secs(POOL_IDLE_SECONDS))
        .user_agent(concat!("hornbook/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(resolve::GuardedResolver::new(Arc::clone(policy))))
}
