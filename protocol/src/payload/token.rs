//! Handing a key out, to whoever may have it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Asks for a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Token {
    /// `provider/alias`; absent inside of a session means what its run is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// The key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct TokenResponse {
    /// `provider/alias`.
    pub credential: String,
    /// The secret; never shown by `Debug`.
    pub token: String,
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("credential", &self.credential).finish_non_exhaustive()
    }
}
