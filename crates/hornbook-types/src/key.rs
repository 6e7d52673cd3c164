//! What an API key may do.

use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::limits::QUOTA_MAX;

/// One permission of an API key; `admin` includes `write`, which includes `read`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at everything but secrets.
    Read,
    /// Submit jobs, write templates, audiences and seeds.
    Write,
    /// Manage endpoints and keys.
    Admin,
}

impl Scope {
    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|scope| scope.as_str() == name)
    }
}

/// What the jobs of one API key may use; an absent quota is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyQuota {
    /// Jobs that have not ended; one more is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_jobs: Option<u64>,
    /// Prompts of the jobs submitted on one UTC day; a job that goes beyond is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts_per_day: Option<u64>,
    /// Prompt and completion tokens on one UTC day; once they are spent, the key's jobs wait for the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
}

impl KeyQuota {
    /// Checks each quota; `pointer` is where it stands in the request.
    pub fn check(&self, pointer: &str, faults: &mut Vec<FieldError>) {
        let quotas = [
            ("running_jobs", self.running_jobs),
            ("prompts_per_day", self.prompts_per_day),
            ("tokens_per_day", self.tokens_per_day),
        ];
        for (field, quota) in quotas {
            if quota.is_some_and(|quota| !(1..=QUOTA_MAX).contains(&quota)) {
                faults.push(FieldError::new(
                    format!("{pointer}/{field}"),
                    format!("needs 1 to {QUOTA_MAX}"),
                ));
            }
        }
    }
}
