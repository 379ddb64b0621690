//! Which harnesses are there, and in which version.

use std::path::PathBuf;
use std::sync::Arc;

use posthouse_protocol::payload::{Check, CredentialInfo};
use tokio::task::JoinSet;

use super::finding::Finding;
use crate::harness::catalog::Catalog;
use crate::harness::definition::Definition;
use crate::harness::version::{self, VersionError};

/// Asks every program that a definition names for its version, all at once. One that is missing matters only where there
/// is a login for it.
pub(super) async fn look(catalog: &Catalog, known: &[CredentialInfo]) -> Vec<Check> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut asked = JoinSet::new();
    for definition in catalog.definitions().filter(|definition| definition.launch.program.is_some()) {
        let wanted =
            known.iter().any(|known| definition.provider.as_deref() == Some(known.provider.as_str()));
        let (definition, dirs) = (Arc::clone(definition), std::env::split_paths(&path).collect::<Vec<_>>());
        asked.spawn(async move {
            let finding = version_of(&definition, &dirs, wanted).await;
            finding.of(format!("harness {}", definition.name))
        });
    }
    let mut checks = asked.join_all().await;
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    checks
}

async fn version_of(definition: &Definition, dirs: &[PathBuf], wanted: bool) -> Finding {
    let name = definition.launch.program.as_deref().unwrap_or_default();
    let Some(program) = version::find(name, dirs) else {
        let detail = format!("{name} is not in the daemon's PATH");
        return if wanted {
            let fix = "install it, or start the daemon with the PATH that finds it";
            Finding::doubt(format!("{detail}, and there is a login for it"), Some(fix.to_owned()))
        } else {
            Finding::Good(detail)
        };
    };
    let said = match version::ask(&program).await {
        Ok(said) => said,
        Err(error @ VersionError::Start { .. }) => return Finding::bad(format!("failed to {error}"), None),
        Err(error) => return Finding::doubt(format!("failed to {error}"), None),
    };
    let differs = definition.measured.as_deref().filter(|measured| version::number(&said) != Some(measured));
    let measured =
        differs.map(|measured| format!("; its definition was measured with {measured}")).unwrap_or_default();
    Finding::Good(format!("{said} ({}){measured}", program.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn program(dir: &Path, text: &str) {
        let path = dir.join("codex");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn a_program_says_its_version_and_a_missing_one_matters_where_there_is_a_login() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let codex = Catalog::builtin().unwrap().get("codex").unwrap();
        assert!(matches!(version_of(&codex, &dirs, false).await, Finding::Good(_)));
        assert!(matches!(version_of(&codex, &dirs, true).await, Finding::Doubt { fix: Some(_), .. }));
        program(dir.path(), "#!/bin/sh\necho; echo ' codex-cli 9.9.9'\n");
        let shown = dir.path().join("codex");
        let found = version_of(&codex, &dirs, true).await;
        let measured = codex.measured.as_deref().unwrap();
        let told =
            format!("codex-cli 9.9.9 ({}); its definition was measured with {measured}", shown.display());
        assert_eq!(found, Finding::Good(told));
        program(dir.path(), "#!/bin/sh\nexit 3\n");
        assert!(matches!(version_of(&codex, &dirs, true).await, Finding::Doubt { .. }));
    }
}
