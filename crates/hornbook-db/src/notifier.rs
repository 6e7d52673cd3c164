//! Being woken when something happened to a job.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{Db, limits};

/// Channel on which every change of a job is announced, with the job's id.
pub(crate) const CHANNEL: &str = "hornbook_jobs";

/// One listening connection for the whole process, and any number of subscribers.
///
/// Notifications are hints: they can be lost with a connection, so a subscriber always waits with
/// a time-out and then looks for itself. Dropping it ends the listening.
#[derive(Debug)]
pub struct Notifier {
    sender: broadcast::Sender<Option<Uuid>>,
    _stop: DropGuard,
}

/// What one subscriber has not looked at yet.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Option<Uuid>>);

impl Notifier {
    /// Starts to listen; a lost connection is opened again for as long as the notifier lives.
    pub fn start(db: &Db) -> Self {
        let (sender, _) = broadcast::channel(limits::NOTIFICATIONS);
        let stop = CancellationToken::new();
        let (pool, hints, stopped) = (db.pool().clone(), sender.clone(), stop.clone());
        tokio::spawn(async move {
            let listening = async {
                loop {
                    let Err(error) = listen(&pool, &hints).await;
                    let error = crate::DbError::from(error);
                    tracing::debug!(%error, "listening ended, trying again");
                    tokio::time::sleep(Duration::from_millis(limits::LISTEN_RETRY_MILLIS)).await;
                }
            };
            tokio::select! {
                () = stopped.cancelled() => {}
                () = listening => {}
            }
        });
        Self { sender, _stop: stop.drop_guard() }
    }

    /// A view of what is announced from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription(self.sender.subscribe())
    }
}

async fn listen(
    pool: &sqlx::PgPool,
    hints: &broadcast::Sender<Option<Uuid>>,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // Anything may have happened before this connection listened.
    let _ = hints.send(None);
    loop {
        let hint = match listener.try_recv().await? {
            Some(notification) => notification.payload().parse().ok(),
            None => None,
        };
        // No subscriber is no error.
        let _ = hints.send(hint);
    }
}

impl Subscription {
    /// Waits until something happened to `job` (to any job, without one); false after `wait`.
    ///
    /// May say true without need, for instance when so much happened that some of it was dropped.
    pub async fn changed(&mut self, job: Option<Uuid>, wait: Duration) -> bool {
        let hint = async {
            loop {
                match self.0.recv().await {
                    Ok(Some(id)) if job.is_some_and(|job| job != id) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    // The notifier is gone; polling goes on by the time-out.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::time::timeout(wait, hint).await.is_ok()
    }
}
