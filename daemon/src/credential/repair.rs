//! The exact command that makes a dead credential usable again, as a person would type it.

use super::id::CredentialId;

/// Logs in anew in its home, shows what the harness's program asks for, and has the provider take it.
pub fn login(id: &CredentialId) -> String {
    format!("posthouse login {id}")
}

/// Stores a new key under the same name, once the provider took it.
pub fn key(id: &CredentialId) -> String {
    format!("posthouse login {id} --from-stdin")
}
