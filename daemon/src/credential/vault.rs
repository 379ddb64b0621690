//! Keys on disk: one private file each, and a home directory beside it for what the harness keeps.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::id::CredentialId;
use crate::paths::{make_private_dir, write_private};

/// The directory of keys, 0700 with files of 0600.
#[derive(Clone, Debug)]
pub struct Vault {
    dir: PathBuf,
}

/// Completes "failed to …".
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
pub struct VaultError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Vault {
    /// The vault in `dir`, which is made when the first key is stored.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Stores a key in place of the one there was.
    pub fn store(&self, id: &CredentialId, secret: &SecretString) -> Result<(), VaultError> {
        let folder = self.folder(id);
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |source| VaultError { action, path, source }
        };
        for dir in [&self.dir, &self.dir.join(id.provider()), &folder] {
            make_private_dir(dir).map_err(|e| VaultError {
                action: "make",
                path: dir.clone(),
                source: io::Error::other(e.to_string()),
            })?;
        }
        let path = folder.join("key");
        write_private(&path, secret.expose_secret().as_bytes())
            .map_err(|e| fail("write", &path)(io::Error::other(e.to_string())))
    }

    /// Reads a key.
    pub fn load(&self, id: &CredentialId) -> Result<SecretString, VaultError> {
        let path = self.folder(id).join("key");
        let text = std::fs::read_to_string(&path);
        text.map(SecretString::from).map_err(|source| VaultError { action: "read", path, source })
    }

    /// Deletes a key; none there is no error. The home beside it stays: it may hold conversations.
    pub fn delete(&self, id: &CredentialId) -> Result<(), VaultError> {
        let path = self.folder(id).join("key");
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(VaultError { action: "delete", path, source })
            }
            _ => Ok(()),
        }
    }

    /// The home directory of a login that is made through Posthouse.
    pub fn login_home(&self, id: &CredentialId) -> PathBuf {
        self.folder(id).join("login")
    }

    /// The home directory that goes with a key.
    pub fn home(&self, id: &CredentialId) -> PathBuf {
        self.folder(id).join("home")
    }

    // Both parts match the rule for names, so neither can lead out of the vault.
    fn folder(&self, id: &CredentialId) -> PathBuf {
        self.dir.join(id.provider()).join(id.alias())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_private_and_comes_back_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path().join("keys"));
        let id = CredentialId::new("openai", "work").unwrap();
        vault.store(&id, &"sk-'quoted\"`$(x)".to_owned().into()).unwrap();
        assert_eq!(vault.load(&id).unwrap().expose_secret(), "sk-'quoted\"`$(x)");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("keys/openai/work/key")), 0o600);
        assert_eq!(mode(&dir.path().join("keys/openai/work")), 0o700);
        vault.delete(&id).unwrap();
        vault.delete(&id).unwrap();
        assert!(vault.load(&id).is_err());
    }
}
