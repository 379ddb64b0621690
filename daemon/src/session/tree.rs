//! What version control says of a working directory, for a brief.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// Most bytes that are read.
const MOST: u64 = 1_500;
/// How long it may take.
const TIME: Duration = Duration::from_secs(2);

/// The branch and the changed files of `dir`, cut to a screenful; empty where there is no version control or it does
/// not answer in time.
pub async fn state(dir: &Path) -> String {
    let text = tokio::time::timeout(TIME, status(dir)).await.ok().flatten().unwrap_or_default();
    let cut = text.len() as u64 >= MOST;
    let whole = if cut { text.rsplit_once('\n').map_or("", |(whole, _)| whole) } else { text.trim_end() };
    if cut { format!("{whole}\n[…]") } else { whole.to_owned() }
}

// The folder's own configuration may name programs to run (a file system monitor, filters): none is.
async fn status(dir: &Path) -> Option<String> {
    let mut git = Command::new("git")
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args([
            "--no-optional-locks",
            "status",
            "--short",
            "--branch",
            "--no-renames",
            "--ignore-submodules=all",
        ])
        .current_dir(dir)
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut bytes = Vec::new();
    git.stdout.take()?.take(MOST).read_to_end(&mut bytes).await.ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_without_version_control_says_nothing_and_one_with_it_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(state(dir.path()).await, "");
        let run = |args: &[&str]| {
            std::process::Command::new("git").args(args).current_dir(dir.path()).output().unwrap()
        };
        if !run(&["init", "-b", "main"]).status.success() {
            return;
        }
        std::fs::write(dir.path().join("new.txt"), "x").unwrap();
        assert_eq!(state(dir.path()).await, "## No commits yet on main\n?? new.txt");
        for n in 0..200 {
            std::fs::write(dir.path().join(format!("file-{n:03}")), "x").unwrap();
        }
        let long = state(dir.path()).await;
        assert!(long.len() < 1_600 && long.ends_with("\n[…]"), "{long}");
    }
}
