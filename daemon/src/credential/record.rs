//! What the journal keeps of a credential: everything but its secret.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::CredentialId;
use super::login::Fingerprint;
use super::login_flow::Begun;
use super::state::{CredentialState, CredentialStatus};
use super::tokens::Account;

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
    /// Whose that login was, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The machine on which that login turned up. Providers end logins that move between machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A login that was begun and of whose end nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// Before this time the provider is asked for no device code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_after: Option<Timestamp>,
}

impl Record {
    /// There is a new login of the same account: nothing is known of it, but for a cooldown, which is the account's.
    pub fn renew(&mut self) {
        let state = match &self.status.state {
            CredentialState::Cooling { why, unproven, .. } if *unproven && why.class.is_auth() => {
                CredentialState::Unknown
            }
            cooling @ CredentialState::Cooling { .. } => cooling.clone(),
            _ => CredentialState::Unknown,
        };
        self.begin_anew(state);
    }

    /// It is another account's now: nothing is known of that one.
    pub fn change_hands(&mut self) {
        self.begin_anew(CredentialState::Unknown);
    }

    fn begin_anew(&mut self, state: CredentialState) {
        self.status = self.status.clone().into_next(state);
        self.renewals = self.renewals.saturating_add(1);
    }
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
