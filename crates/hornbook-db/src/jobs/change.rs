//! Changing what may be changed of a job that is there.

use hornbook_types::{Budget, EventKind};
use serde_json::json;
use uuid::Uuid;

use super::{get_in, lock};
use crate::convert::to_sql;
use crate::{Db, DbError, events};

/// Changes a job's budget, its priority, or both; the new ones hold from the next slice and claim on.
///
/// `budget` makes the new budget of the one that holds under the job's lock, so that of two changes at
/// once neither undoes the other; what it refuses changes nothing.
pub async fn change<E: From<DbError>>(
    db: &Db,
    id: Uuid,
    budget: Option<impl FnOnce(Budget) -> Result<Budget, E>>,
    priority: Option<i32>,
) -> Result<(), E> {
    let mut tx = db.begin().await?;
    let job = lock(&mut tx, id).await?;
    if job.deleting {
        return Err(DbError::NotFound("job").into());
    }
    let budget = match budget {
        Some(make) => Some(make(get_in(&mut *tx, id).await?.budget)?),
        None => None,
    };
    if let Some(budget) = &budget {
        sqlx::query(
            "UPDATE jobs SET budget_tokens = $2, budget_usd = $3, budget_failures = $4, budget_then = $5
              WHERE id = $1",
        )
        .bind(id)
        .bind(budget.tokens.map(to_sql))
        .bind(budget.usd)
        .bind(budget.failures.map(to_sql))
        .bind(budget.then.as_str())
        .execute(&mut *tx)
        .await
        .map_err(DbError::from)?;
    }
    if let Some(priority) = priority {
        sqlx::query("UPDATE jobs SET priority = $2 WHERE id = $1")
            .bind(id)
            .bind(priority)
            .execute(&mut *tx)
            .await
            .map_err(DbError::from)?;
    }
    let name = job.state.as_str();
    let data = json!({ "from": name, "to": name, "budget": budget, "priority": priority });
    events::append(&mut tx, id, EventKind::State, data).await?;
    tx.commit().await.map_err(DbError::from)?;
    Ok(())
}
