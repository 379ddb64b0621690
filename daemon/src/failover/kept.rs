//! What the journal keeps of the ledger, so that a restart forgets neither a cooldown nor how often something failed.

use serde::{Deserialize, Serialize};

use super::pool::{Mark, Reach};
use crate::credential::id::CredentialId;

/// One document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Kept {
    /// Something that is no credential is or was out of use.
    Mark {
        /// What.
        reach: Reach,
        /// Until when and why.
        mark: Mark,
    },
    /// A credential failed so often in a row.
    Strikes {
        /// Which.
        credential: CredentialId,
        /// How often.
        strikes: u32,
    },
}

impl Kept {
    /// The key that a mark is kept under.
    #[must_use]
    pub fn mark_key(reach: &Reach) -> String {
        serde_json::to_string(reach).unwrap_or_default()
    }

    /// The key that a credential's failures are kept under.
    #[must_use]
    pub fn strikes_key(credential: &CredentialId) -> String {
        format!("strikes {credential}")
    }
}
