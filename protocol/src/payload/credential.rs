//! Logins and keys, by alias. Secrets travel towards the daemon only.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Json, Later};

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
    /// Asks for the program that makes a new login of it, and registers it if it is new. The answer's `more` has
    /// `session`, `command`, `env`, `cwd` and `device`; the caller starts the program as a session and reports its end.
    Login {
        /// `provider/alias`, or a provider or harness that has at most one login.
        name: String,
        /// The home of a new one, absolute; absent means one of the daemon's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<String>,
        /// With a code to be typed on another device, where the harness can do that.
        device: bool,
    },
    /// Reports that the program ended. The answer's `more.changed` says whether there is another login now.
    LoginEnded {
        /// `provider/alias`.
        name: String,
        /// Whether it was by a device code.
        device: bool,
        /// Whether the program failed.
        failed: bool,
        /// What it showed last.
        said: String,
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
            Self::Login { name, .. } => ("Login", name.clone()),
            Self::LoginEnded { name, .. } => ("LoginEnded", name.clone()),
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
    /// What its login says of itself, where it can be read.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub login: Later<LoginInfo>,
    /// What showed last that it works: `probe`, `use` or `refresh`.
    #[serde(default, skip_serializing_if = "Later::is_none")]
    pub verified_by: Later<String>,
}

/// What a login says of itself; none of it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct LoginInfo {
    /// Whose it is, shortened so that the name can't be read off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account's plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// When the access token ends, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Whether its harness gets a new access token by itself.
    pub renewable: bool,
    /// The machine on which the login turned up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
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
