//! Which endpoints have a loop in this process: those that take prompts and can be reached from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use hornbook_db::DbError;
use hornbook_db::endpoints::{self, Endpoint};
use hornbook_types::{EndpointKind, EndpointState, Slug};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::commit::Committer;
use super::desk::Desk;
use super::down::Down;
use super::puller::{self, Live};
use crate::limits::ENDPOINTS_INTERVAL;

/// Endpoints read at a time.
const PAGE: u32 = 200;

struct Loop {
    revision: u64,
    live: Arc<Live>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// Keeps one loop running for each endpoint, until `stop`.
pub(crate) async fn run(desk: &Arc<Desk>, committer: &Committer, stop: &CancellationToken) {
    let mut loops: BTreeMap<Slug, Loop> = BTreeMap::new();
    let mut down = Down::default();
    // Subscribed before the first look: nothing falls between.
    let mut news = desk.shared.notifier.subscribe();
    while !stop.is_cancelled() {
        match usable(desk).await {
            Ok(found) => bring_up(desk, committer, &mut loops, found).await,
            Err(error) => tracing::warn!(%error, "cannot look up endpoints"),
        }
        down.look(desk).await;
        tokio::select! {
            () = stop.cancelled() => {}
            _ = news.endpoints_changed(ENDPOINTS_INTERVAL) => {}
        }
    }
    for running in loops.values() {
        running.stop.cancel();
    }
    for (name, running) in loops {
        end(desk, &name, running).await;
    }
}

/// Endpoints that take prompts and that this process can ask.
async fn usable(desk: &Desk) -> Result<Vec<Endpoint>, DbError> {
    let mut found = Vec::new();
    let mut after: Option<Slug> = None;
    loop {
        let page = endpoints::list(&desk.shared.db, after.as_ref(), PAGE).await?;
        after = page.last().map(|endpoint| endpoint.name.clone());
        let last = page.len() < PAGE as usize;
        found.extend(page.into_iter().filter(|endpoint| {
            let here = endpoint.spec.kind != EndpointKind::Local || desk.shared.has_local;
            here && endpoint.state == EndpointState::Ready
        }));
        if last {
            return Ok(found);
        }
    }
}

async fn bring_up(
    desk: &Arc<Desk>,
    committer: &Committer,
    loops: &mut BTreeMap<Slug, Loop>,
    found: Vec<Endpoint>,
) {
    let wanted: BTreeMap<&Slug, u64> =
        found.iter().map(|endpoint| (&endpoint.name, endpoint.revision)).collect();
    let gone: Vec<Slug> = loops
        .iter()
        .filter(|(name, running)| wanted.get(name) != Some(&running.revision))
        .map(|(name, _)| name.clone())
        .collect();
    for name in gone {
        if let Some(running) = loops.remove(&name) {
            end(desk, &name, running).await;
        }
    }
    let mut has_begun = false;
    for endpoint in &found {
        if !loops.contains_key(&endpoint.name)
            && let Some(running) = begin(desk, committer, endpoint).await
        {
            loops.insert(endpoint.name.clone(), running);
            has_begun = true;
        }
    }
    let live = loops.iter().map(|(name, running)| (name.clone(), Arc::clone(&running.live)));
    desk.set_live(live.collect());
    // A new loop has no share of its endpoint's limits before this.
    if has_begun && let Err(error) = desk.renew_shares().await {
        tracing::warn!(%error, "shares of endpoints' limits were not asked for");
    }
}

async fn begin(desk: &Arc<Desk>, committer: &Committer, endpoint: &Endpoint) -> Option<Loop> {
    let name = endpoint.name.clone();
    let backend = match (desk.shared.backends)(name.clone()).await {
        Ok(backend) => backend,
        Err(message) => {
            tracing::warn!(endpoint = %name, message, "endpoint cannot be used");
            let state = EndpointState::Unavailable;
            let noted = endpoints::set_state(&desk.shared.db, &name, state, Some(&message)).await;
            if let Err(error) = noted {
                tracing::warn!(%error, endpoint = %name, "cannot note that");
            }
            return None;
        }
    };
    tracing::info!(endpoint = %name, slots = backend.slots(), "endpoint in use");
    let stop = CancellationToken::new();
    let is_local = endpoint.spec.kind == EndpointKind::Local;
    let live = Arc::new(Live::new(name, is_local, endpoint.spec.price, backend));
    desk.shares.enter(&live, &endpoint.spec.limits);
    let pulling = puller::run(Arc::clone(desk), committer.clone(), Arc::clone(&live), stop.clone());
    let task = AbortOnDropHandle::new(tokio::spawn(pulling));
    Some(Loop { revision: endpoint.revision, live, stop, task })
}

/// Ends a loop; what it has in flight goes on by itself.
async fn end(desk: &Desk, name: &Slug, running: Loop) {
    running.stop.cancel();
    if let Err(error) = running.task.await {
        tracing::error!(%error, endpoint = %name, "an endpoint's loop ended badly");
    }
    desk.shares.leave(name);
}
