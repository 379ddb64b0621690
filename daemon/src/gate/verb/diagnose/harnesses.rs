//! Which harnesses are there, and in which version.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use posthouse_protocol::payload::{Check, CredentialInfo};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::finding::Finding;
use crate::harness::catalog::Catalog;
use crate::harness::definition::Definition;

/// How long a program may take to say its version; the slowest of them start a whole runtime for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of the answer that are shown.
const SHOWN: usize = 80;

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
    let Some(program) = find(name, dirs) else {
        let detail = format!("{name} is not in the daemon's PATH");
        return if wanted {
            let fix = "install it, or start the daemon with the PATH that finds it";
            Finding::doubt(format!("{detail}, and there is a login for it"), Some(fix.to_owned()))
        } else {
            Finding::Good(detail)
        };
    };
    let shown = program.display();
    let mut command = Command::new(&program);
    // In no folder of the user's, and with nothing on its input that could be taken for an answer.
    command.arg("--version").current_dir("/").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Err(_) => Finding::doubt(format!("{shown} did not say its version within {PATIENCE:?}"), None),
        Ok(Err(error)) => Finding::bad(format!("failed to start {shown}: {error}"), None),
        Ok(Ok(output)) if !output.status.success() => {
            Finding::doubt(format!("{shown} --version ended with {}", output.status), None)
        }
        Ok(Ok(output)) => Finding::Good(format!("{} ({shown})", first_line(&output.stdout))),
    }
}

fn first_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no version told");
    line.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

/// The program that a run would find.
fn find(name: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    if name.contains('/') {
        return is_program(Path::new(name)).then(|| name.into());
    }
    dirs.iter().map(|dir| dir.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
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
        assert_eq!(found, Finding::Good(format!("codex-cli 9.9.9 ({})", shown.display())));
        program(dir.path(), "#!/bin/sh\nexit 3\n");
        assert!(matches!(version_of(&codex, &dirs, true).await, Finding::Doubt { .. }));
    }
}
