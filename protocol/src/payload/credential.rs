//! Logins and keys, by alias. Secrets travel towards the daemon only.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Json;

/// Reads or changes credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Credential {
    /// Registers one.
    Add {
        /// Whose account pays.
        provider: String,
        /// The name it is known by at that provider.
        alias: String,
        /// Where its login or key is.
        source: CredentialSource,
        /// Another endpoint of the provider's interface, such as a gateway.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base_url: Option<String>,
    },
    /// Lists all.
    List,
    /// Everything known of one.
    Show {
        /// `provider/alias`.
        name: String,
    },
    /// Forgets one. A login directory stays as it is; a stored key is deleted.
    Remove {
        /// `provider/alias`.
        name: String,
    },
    /// Looks at it again: after a repair it becomes usable.
    Check {
        /// `provider/alias`.
        name: String,
    },
}

/// Where a credential's login or key is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CredentialSource {
    /// The harness's own home directory, used where it lies.
    Home {
        /// Absolute path.
        dir: String,
    },
    /// A key, kept by the daemon in a private file.
    Key {
        /// The secret.
        secret: String,
    },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (op, name) = match self {
            Self::Add { provider, alias, .. } => ("Add", format!("{provider}/{alias}")),
            Self::List => ("List", String::new()),
            Self::Show { name } => ("Show", name.clone()),
            Self::Remove { name } => ("Remove", name.clone()),
            Self::Check { name } => ("Check", name.clone()),
        };
        f.debug_tuple(op).field(&name).finish()
    }
}

impl std::fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Home { dir } => f.debug_struct("Home").field("dir", dir).finish(),
            Self::Key { .. } => f.write_str("Key(..)"),
        }
    }
}

/// One credential, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct CredentialInfo {
    /// Whose account pays.
    pub provider: String,
    /// Its name at that provider.
    pub alias: String,
    /// `home` or `key`.
    pub kind: String,
    /// The login directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The endpoint, where it is not the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// `unknown`, `valid`, `refreshing`, `cooling`, `needs_login` or `disabled`.
    pub state: String,
    /// Grows with every change of the login or key.
    pub generation: u64,
    /// Why it is in that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Until when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Last proof that it works, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<u64>,
    /// Sessions that run on it.
    #[serde(default)]
    pub sessions: Vec<String>,
    /// The exact command that repairs it, where it needs repair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
}

/// The credentials asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct CredentialResponse {
    /// All of them, or the one that was named.
    pub credentials: Vec<CredentialInfo>,
    /// What was done, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// More facts, by operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Json>,
}
