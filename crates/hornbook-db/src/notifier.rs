//! Being woken when something happened to a job, or when a user changed an endpoint.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{Db, DbError, limits};

/// Channel on which every change of a job is announced, with the job's id.
pub(crate) const CHANNEL: &str = "hornbook_jobs";
/// Channel on which users' changes of endpoints are announced: what workers find they see by looking.
const ENDPOINTS_CHANNEL: &str = "hornbook_endpoints";

/// What was announced.
#[derive(Clone, Copy, Debug)]
enum News {
    /// Something happened to a job.
    Job(Uuid),
    /// Endpoints were changed.
    Endpoints,
    /// Anything may have happened.
    Unknown,
}

/// One listening connection for the whole process, and any number of subscribers.
///
/// Notifications are hints: they can be lost with a connection, so a subscriber always waits with
/// a time-out and then looks for itself. Dropping it ends the listening.
#[derive(Debug)]
pub struct Notifier {
    sender: broadcast::Sender<News>,
    _stop: DropGuard,
}

/// What one subscriber has not looked at yet.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<News>);

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
                    let error = DbError::from(error);
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
    hints: &broadcast::Sender<News>,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([CHANNEL, ENDPOINTS_CHANNEL]).await?;
    // Anything may have happened before this connection listened.
    let _ = hints.send(News::Unknown);
    loop {
        let hint = match listener.try_recv().await? {
            Some(notification) if notification.channel() == ENDPOINTS_CHANNEL => News::Endpoints,
            Some(notification) => notification.payload().parse().map_or(News::Unknown, News::Job),
            None => News::Unknown,
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
        let concerns = |news| match news {
            News::Job(id) => job.is_none_or(|job| job == id),
            News::Endpoints => false,
            News::Unknown => true,
        };
        self.told(concerns, wait).await
    }

    /// Waits until a user changed an endpoint; false after `wait`, and as ready to say true as [`Self::changed`].
    pub async fn endpoints_changed(&mut self, wait: Duration) -> bool {
        self.told(|news| matches!(news, News::Endpoints | News::Unknown), wait).await
    }

    async fn told(&mut self, concerns: impl Fn(News) -> bool, wait: Duration) -> bool {
        let hint = async {
            loop {
                match self.0.recv().await {
                    Ok(news) if !concerns(news) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    // The notifier is gone; polling goes on by the time-out.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::time::timeout(wait, hint).await.is_ok()
    }
}

/// Tells workers, once the transaction is committed, that a user changed an endpoint.
pub(crate) async fn announce_endpoints(tx: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query("SELECT pg_notify($1, '')").bind(ENDPOINTS_CHANNEL).execute(tx).await?;
    Ok(())
}
