//! The exact command that makes a dead credential usable again, as a person would type it.

use std::path::Path;

use super::id::CredentialId;
use crate::harness::definition::Definition;

/// Logs in anew in `home`, with the harness's own command; the one for a machine without a browser if `headless`.
/// `None` where the harness has no such command.
pub fn login(definition: &Definition, home: &Path, headless: bool) -> Option<String> {
    let login = definition.login.as_ref()?;
    let command = login.device.as_ref().filter(|_| headless).unwrap_or(&login.command);
    let words = command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let home = quote(&home.display().to_string());
    Some(match &definition.credential.home_env {
        Some(name) => format!("{name}={home} {words}"),
        None => words,
    })
}

/// Stores a new key under the same name.
pub fn key(id: &CredentialId) -> String {
    format!("posthouse credential add {} {} --api-key-stdin", id.provider(), id.alias())
}

/// Whether nobody could see a browser here.
pub fn headless(get: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    let set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    !set("DISPLAY") && !set("WAYLAND_DISPLAY") || set("SSH_CONNECTION")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::catalog::Catalog;

    #[test]
    fn the_command_names_the_login_it_repairs() {
        let catalog = Catalog::builtin().unwrap();
        let codex = catalog.get("codex").unwrap();
        let home = Path::new("/home/ann/.codex work");
        assert_eq!(login(&codex, home, false).unwrap(), "CODEX_HOME='/home/ann/.codex work' codex login");
        assert_eq!(
            login(&codex, home, true).unwrap(),
            "CODEX_HOME='/home/ann/.codex work' codex login --device-auth"
        );
        let claude = catalog.get("claude").unwrap();
        assert_eq!(login(&claude, Path::new("/c"), false).unwrap(), "CLAUDE_CONFIG_DIR=/c claude auth login");
    }
}
