//! Finds the conversation file of a run.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::codex;
use crate::harness::definition::TranscriptKind;

/// Longest first line of a rollout that is read to learn its folder.
const LONGEST_META: u64 = 1024 * 1024;

/// The file of the conversation `id` in the harness's `home`.
pub fn by_id(kind: TranscriptKind, home: &Path, id: &str) -> Option<PathBuf> {
    // An id is part of a file name here; anything else would lead out of the folder.
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    match kind {
        TranscriptKind::None => None,
        TranscriptKind::Codex => {
            let end = format!("-{id}.jsonl");
            rollouts(home).into_iter().find(|path| name(path).is_some_and(|n| n.ends_with(&end)))
        }
        TranscriptKind::Claude => {
            let file = format!("{id}.jsonl");
            entries(&home.join("projects")).into_iter().map(|dir| dir.join(&file)).find(|path| path.is_file())
        }
    }
}

/// The files of conversations in the folder `cwd` that were written to at or after `since`, newest first. More
/// than one if several runs share the home and the folder; the one that holds the run's own message is its own.
pub fn recent(kind: TranscriptKind, home: &Path, cwd: &Path, since: SystemTime) -> Vec<PathBuf> {
    let candidates = match kind {
        TranscriptKind::None => Vec::new(),
        TranscriptKind::Codex => rollouts(home),
        TranscriptKind::Claude => entries(&home.join("projects").join(claude_folder(cwd))),
    };
    let mut found: Vec<(SystemTime, PathBuf)> = candidates
        .into_iter()
        .filter(|path| path.extension() == Some(OsStr::new("jsonl")))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .filter(|(written, _)| *written >= since)
        .filter(|(_, path)| kind != TranscriptKind::Codex || rollout_is_in(path, cwd))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Claude's name for a folder: everything but letters and digits becomes a dash.
fn claude_folder(cwd: &Path) -> String {
    cwd.to_string_lossy().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// All rollouts, those of the latest day first.
fn rollouts(home: &Path) -> Vec<PathBuf> {
    let mut level = vec![home.join("sessions")];
    for _year_month_day in 0..3 {
        level = level.iter().flat_map(|dir| entries(dir)).collect();
        level.sort_by(|a, b| b.cmp(a));
    }
    level
        .iter()
        .flat_map(|day| entries(day))
        .filter(|path| name(path).is_some_and(|n| n.starts_with("rollout-")))
        .collect()
}

fn rollout_is_in(path: &Path, cwd: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    let mut line = Vec::new();
    let read = BufReader::new(file.take(LONGEST_META)).read_until(b'\n', &mut line);
    read.is_ok() && codex::meta(&line).is_some_and(|meta| meta.cwd == cwd)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .map(|entries| entries.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default()
}

fn name(path: &Path) -> Option<&str> {
    path.file_name().and_then(OsStr::to_str)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rollout(home: &Path, day: &str, id: &str, cwd: &str) -> PathBuf {
        let dir = home.join("sessions").join(day);
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("rollout-2026-11-22T08-00-00-{id}.jsonl"));
        let meta =
            format!("{{\"type\":\"session_meta\",\"payload\":{{\"id\":\"{id}\",\"cwd\":\"{cwd}\"}}}}\n");
        fs::write(&path, meta).unwrap();
        path
    }

    fn written(path: &Path, seconds: u64) -> SystemTime {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
        at
    }

    #[test]
    fn codex_rollouts_are_found_by_id_and_by_folder_and_time() {
        let home = tempfile::tempdir().unwrap();
        let old = rollout(home.path(), "2026/11/21", "aaaa-1", "/repo/x");
        let mine = rollout(home.path(), "2026/11/22", "bbbb-2", "/repo/x");
        let other = rollout(home.path(), "2026/11/22", "cccc-3", "/repo/y");
        written(&old, 1_000);
        let start = written(&mine, 2_000);
        written(&other, 3_000);
        assert_eq!(by_id(TranscriptKind::Codex, home.path(), "aaaa-1"), Some(old.clone()));
        assert_eq!(
            recent(TranscriptKind::Codex, home.path(), Path::new("/repo/x"), start),
            std::slice::from_ref(&mine)
        );
        assert_eq!(
            recent(TranscriptKind::Codex, home.path(), Path::new("/repo/x"), SystemTime::UNIX_EPOCH),
            [mine, old]
        );
    }

    #[test]
    fn claude_files_are_found_under_the_folders_name() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("projects/-repo-my-repo-v1-0");
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("d297abae-6b02.jsonl");
        fs::write(&path, "{}\n").unwrap();
        assert_eq!(by_id(TranscriptKind::Claude, home.path(), "d297abae-6b02"), Some(path.clone()));
        assert_eq!(
            recent(
                TranscriptKind::Claude,
                home.path(),
                Path::new("/repo/my_repo/v1.0"),
                SystemTime::UNIX_EPOCH
            ),
            [path]
        );
    }

    #[test]
    fn ids_that_are_paths_and_missing_homes_find_nothing() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("projects/a")).unwrap();
        fs::write(home.path().join("secret.jsonl"), "").unwrap();
        for id in ["../../secret", "", "a/b", "*"] {
            assert_eq!(by_id(TranscriptKind::Claude, home.path(), id), None, "{id}");
        }
        assert_eq!(by_id(TranscriptKind::Codex, Path::new("/nonexistent"), "a"), None);
        assert_eq!(
            recent(TranscriptKind::None, home.path(), Path::new("/"), SystemTime::UNIX_EPOCH),
            Vec::<PathBuf>::new()
        );
    }
}
