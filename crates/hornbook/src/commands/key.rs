//! `hornbook key`: API keys, straight in the database, so that the first one can be made.

use hornbook_api::KeyToken;
use hornbook_db::keys;
use hornbook_types::{KeyQuota, Scope};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;

use crate::cli::{Key, KeyQuotas, Storage};
use crate::config::{self, ConfigFile};
use crate::environment::Environment;
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output;
use crate::wiring::Database;

/// Runs one of the key commands.
pub(crate) async fn run(
    command: Key,
    file: &ConfigFile,
    environment: &Environment,
    as_json: bool,
) -> Outcome {
    let storage = match &command {
        Key::Create { storage, .. } | Key::Ls { storage } | Key::Revoke { storage, .. } => storage,
    };
    let database = open(storage, file, environment).await?;
    let done = match command {
        Key::Create { name, scopes, quota, .. } => {
            create(&database, &name, &scopes, quota, as_json).await
        }
        Key::Ls { .. } => ls(&database, as_json).await,
        Key::Revoke { id, .. } => revoke(&database, &id, as_json).await,
    };
    done.and(database.close().await)
}

async fn open(
    storage: &Storage,
    file: &ConfigFile,
    environment: &Environment,
) -> Result<Database, Failure> {
    let storage = config::storage(storage, file, environment)?;
    Database::attach_or_open(&storage, environment).await
}

async fn create(
    database: &Database,
    name: &str,
    scopes: &[String],
    quota: KeyQuotas,
    as_json: bool,
) -> Outcome {
    let quota = quota.checked()?;
    let scopes: Vec<Scope> = scopes
        .iter()
        .map(|name| {
            Scope::parse(name)
                .ok_or_else(|| Failure::usage(format!("'{name}' is not read, write or admin")))
        })
        .collect::<Result<_, _>>()?;
    let token = KeyToken::generate(&mut StdRng::from_os_rng());
    keys::create(&database.db, &token.id, name, &token.digest(), &scopes, &quota)
        .await
        .context("storing the key")?;
    if as_json {
        return output::json(&json!({ "id": token.id, "key": token.reveal() }));
    }
    output::line(&token.reveal())
}

impl KeyQuotas {
    fn checked(self) -> Result<KeyQuota, Failure> {
        let quota = KeyQuota {
            running_jobs: self.running_jobs,
            prompts_per_day: self.prompts_per_day,
            tokens_per_day: self.tokens_per_day,
        };
        let mut faults = Vec::new();
        quota.check("", &mut faults);
        match faults.first() {
            None => Ok(quota),
            Some(fault) => {
                let flag = fault.pointer.trim_start_matches('/').replace('_', "-");
                Err(Failure::usage(format!("--{flag} {}", fault.detail)))
            }
        }
    }
}

/// `running_jobs=2 tokens_per_day=1000`, or a dash where there is no quota.
fn shown(quota: &KeyQuota) -> String {
    let parts: Vec<String> = [
        ("running_jobs", quota.running_jobs),
        ("prompts_per_day", quota.prompts_per_day),
        ("tokens_per_day", quota.tokens_per_day),
    ]
    .into_iter()
    .filter_map(|(name, limit)| limit.map(|limit| format!("{name}={limit}")))
    .collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
}

async fn ls(database: &Database, as_json: bool) -> Outcome {
    let keys = keys::list(&database.db, None, u32::MAX).await.context("listing keys")?;
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
            vec![
                key.id.clone(),
                key.name.clone(),
                scopes.join(","),
                if key.revoked_at.is_some() { "revoked" } else { "active" }.to_owned(),
                shown(&key.quota),
            ]
        })
        .collect();
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .zip(&keys)
            .map(|(row, key)| {
                json!({ "id": row[0], "name": row[1], "scopes": row[2], "state": row[3],
                        "quota": key.quota })
            })
            .collect();
        return output::json(&json!(rows));
    }
    output::table(&["ID", "NAME", "SCOPES", "STATE", "QUOTA"], &rows)
}

async fn revoke(database: &Database, id: &str, as_json: bool) -> Outcome {
    match keys::revoke(&database.db, id).await {
        Ok(_) if as_json => output::json(&json!({ "id": id, "state": "revoked" })),
        Ok(_) => output::line(&format!("{id}  revoked")),
        Err(hornbook_db::DbError::NotFound(_)) => {
            Err(Failure::new(Code::NotFound, format!("no key has the id {id}")))
        }
        Err(error) => Err(Failure::error(format!("revoking the key: {error}"))),
    }
}
