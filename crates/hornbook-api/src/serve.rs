//! Serving the router on a listener.

use std::future::Future;

use tokio::net::TcpListener;

use crate::{AppState, router};

/// Answers requests on `listener` until `shutdown` is over, then lets those under way finish.
///
/// # Errors
/// When the listener itself fails; a failing connection is that connection's affair.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(state)).with_graceful_shutdown(shutdown).await
}
