//! `hornbook healthcheck`: exit 0 when a service is ready.

use crate::client::Client;
use crate::exit::Outcome;
use crate::output;

/// Asks the service's readiness; what it says goes to stdout.
pub(crate) async fn run(client: &Client) -> Outcome {
    let request = client.request(reqwest::Method::GET, "/readyz")?;
    client.send(request).await?;
    output::line("ready")
}
