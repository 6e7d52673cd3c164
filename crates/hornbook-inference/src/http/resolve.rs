//! Name resolution that gives out allowed addresses only.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::GuardPolicy;

/// Why a name led nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{host} leads to {address}")]
pub(super) struct Refused {
    pub(super) host: String,
    pub(super) address: String,
}

/// The system's resolver behind a policy.
pub(super) struct GuardedResolver {
    policy: Arc<GuardPolicy>,
}

impl GuardedResolver {
    pub(super) fn new(policy: Arc<GuardPolicy>) -> Self {
        Self { policy }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let host = name.as_str();
            // Port 0 stands for the port of the URL.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let host_allowed = policy.allows_host(host);
            let (allowed, refused): (Vec<_>, Vec<_>) = found
                .into_iter()
                .partition(|socket| host_allowed || policy.allows_address(socket.ip()));
            match refused.first() {
                Some(socket) if allowed.is_empty() => {
                    let address = socket.ip().to_string();
                    Err(Refused { host: host.to_owned(), address }.into())
                }
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
