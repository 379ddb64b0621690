//! What the journal keeps of a credential: everything but its secret.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::id::CredentialId;
use super::login::Fingerprint;
use super::state::CredentialStatus;

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub id: CredentialId,
    /// Where its login or key is.
    pub source: Source,
    /// Another endpoint than the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What is known of it.
    pub status: CredentialStatus,
    /// How often it was made usable again by a new login or key: what failed under an earlier one says nothing of it.
    #[serde(default)]
    pub renewals: u64,
    /// What its login looked like when that was found out.
    #[serde(default)]
    pub seen: Fingerprint,
}

/// Where a login or key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// The harness's own home directory.
    Home {
        /// Absolute path.
        dir: PathBuf,
    },
    /// A key in the vault.
    Key,
}
