//! Finding a harness's program as a run would, and asking it which version it is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long a program may take to say its version; the slowest of them start a whole runtime for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of the answer that are kept.
const KEPT: usize = 80;

/// Why a version is not known; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// It does not start.
    #[error("start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It started and did not answer.
    #[error("hear from {program}: it did not say its version within {PATIENCE:?}")]
    Silent {
        /// The program.
        program: String,
    },
    /// It ended with a failure.
    #[error("hear from {program}: {program} --version ended with {status}")]
    Refused {
        /// The program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
}

/// The first line that `program --version` prints, at most 80 characters of it, without control characters.
///
/// # Errors
/// When it does not start, does not answer within ten seconds, or ends with a failure.
pub async fn ask(program: &Path) -> Result<String, VersionError> {
    let shown = || program.display().to_string();
    let mut command = Command::new(program);
    // In no folder of the user's, and with nothing on its input that could be taken for an answer.
    command.arg("--version").current_dir("/").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Err(_) => Err(VersionError::Silent { program: shown() }),
        Ok(Err(source)) => Err(VersionError::Start { program: shown(), source }),
        Ok(Ok(output)) if !output.status.success() => {
            Err(VersionError::Refused { program: shown(), status: output.status })
        }
        Ok(Ok(output)) => Ok(first_line(&output.stdout)),
    }
}

/// The version in what a program says of itself: the first word that looks like one.
#[must_use]
pub fn number(said: &str) -> Option<&str> {
    let words = said.split(|c: char| c.is_whitespace() || "/@,();".contains(c));
    let mut numbers = words.map(|word| word.strip_prefix('v').unwrap_or(word));
    numbers.find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

/// The program that a run would find: `name` as a path, or in the first of `dirs` that has it.
#[must_use]
pub fn find(name: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    if name.contains('/') {
        return is_program(Path::new(name)).then(|| name.into());
    }
    dirs.iter().map(|dir| dir.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn first_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no version told");
    line.chars().filter(|c| !c.is_control()).take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_what_each_of_them_prints() {
        for (said, version) in [
            ("codex-cli 0.169.0", Some("0.169.0")),
            ("2.1.330 (Claude Code)", Some("2.1.330")),
            ("0.61.0", Some("0.61.0")),
            ("opencode/1.18.33 linux-x64", Some("1.18.33")),
            ("v3.2.1-beta.4", Some("3.2.1-beta.4")),
            ("no version told", None),
            ("release 12", None),
        ] {
            assert_eq!(number(said), version, "{said}");
        }
    }
}
