//! The key that a deployment brings along, and the rule that needs it.

use std::net::SocketAddr;
use std::path::Path;

use hornbook_api::KeyToken;
use hornbook_db::{Db, keys};
use hornbook_types::{KeyQuota, Scope};

use crate::exit::{Context as _, Failure, Outcome};

/// Name under which the initial key is listed.
const INITIAL_KEY_NAME: &str = "initial key";

/// Stores the key in `file` unless it is stored already; the file is how compose passes it.
pub(crate) async fn create(db: &Db, file: &Path) -> Outcome {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("reading the initial key {shown}: {error}")))?;
    let token = KeyToken::parse(text.trim()).ok_or_else(|| {
        Failure::usage(format!("{shown} holds no key of the form hb_<id>_<secret>"))
    })?;
    let known = keys::find(db, &token.id).await.context("looking for the initial key")?;
    if known.is_none() {
        keys::create(
            db,
            &token.id,
            INITIAL_KEY_NAME,
            &token.digest(),
            &[Scope::Admin],
            &KeyQuota::default(),
        )
        .await
        .context("storing the initial key")?;
        tracing::info!(id = token.id, "the initial key was stored");
    }
    Ok(())
}

/// Refuses to listen where others can reach the service while anybody could use it.
pub(crate) async fn require(db: &Db, listen: SocketAddr) -> Outcome {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    let keys = keys::count(db).await.context("counting keys")?;
    if keys > 0 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "refusing to listen on {listen} while no key exists; make one with \
         'hornbook key create --scopes admin', or name a file with --initial-key-file"
    )))
}
