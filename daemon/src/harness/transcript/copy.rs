//! Carries a conversation to another home of the same harness, so that it can be resumed there by its id.

use std::fs;
use std::path::{Path, PathBuf};

use super::find;
use crate::harness::definition::TranscriptKind;
use crate::harness::error::HarnessError;
use crate::harness::home::{make_dir, write_private};

/// Copies the conversation `id` from one home to the same place in another and returns where it is there.
///
/// The source's run must be gone. A last line that was cut off by its end is left out. A copy that is there
/// already stays if it holds all of the source, since the conversation may have gone on in that home; otherwise it
/// is replaced as a whole.
///
/// # Errors
/// When there is no such conversation, or a file can't be read or written.
pub fn conversation(kind: TranscriptKind, id: &str, from: &Path, to: &Path) -> Result<PathBuf, HarnessError> {
    let missing =
        || HarnessError::HomeContent { path: from.to_owned(), why: format!("it has no conversation {id}") };
    let source = find::by_id(kind, from, id).ok_or_else(missing)?;
    let place = source.strip_prefix(from).map_err(|_| missing())?;
    let target = to.join(place);
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| HarnessError::Home { action: "read", path, source }
    };
    if fs::canonicalize(&source).ok() == fs::canonicalize(&target).ok() {
        // Both homes share the folder through a link.
        return Ok(target);
    }
    let mut lines = fs::read(&source).map_err(fail(&source))?;
    lines.truncate(lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
    match fs::read(&target) {
        Ok(there) if there.starts_with(&lines) => return Ok(target),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(fail(&target)(e)),
    }
    if let Some(dir) = target.parent() {
        make_dir(dir)?;
    }
    write_private(&target, &lines)?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const PLACE: &str = "sessions/2026/11/22/rollout-2026-11-22T08-00-00-aa-1.jsonl";

    fn home(content: Option<&str>) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        if let Some(content) = content {
            fs::create_dir_all(home.path().join(PLACE).parent().unwrap()).unwrap();
            fs::write(home.path().join(PLACE), content).unwrap();
        }
        home
    }

    fn copied(from: &str, there: Option<&str>) -> String {
        let (from, to) = (home(Some(from)), home(there));
        let target = conversation(TranscriptKind::Codex, "aa-1", from.path(), to.path()).unwrap();
        assert_eq!(target, to.path().join(PLACE));
        fs::read_to_string(target).unwrap()
    }

    #[test]
    fn goes_to_the_same_place_without_a_torn_last_line() {
        assert_eq!(copied("one\ntwo\nthr", None), "one\ntwo\n");
    }

    #[test]
    fn a_longer_copy_stays_and_another_one_is_replaced() {
        assert_eq!(copied("one\n", Some("one\ntwo\n")), "one\ntwo\n");
        assert_eq!(copied("one\ntwo\n", Some("one\n")), "one\ntwo\n");
        assert_eq!(copied("one\ntwo\n", Some("other\n")), "one\ntwo\n");
    }

    #[test]
    fn is_private_and_works_through_a_shared_folder() {
        let (from, to) = (home(Some("one\n")), home(None));
        let target = conversation(TranscriptKind::Codex, "aa-1", from.path(), to.path()).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);

        let linked = home(None);
        std::os::unix::fs::symlink(from.path().join("sessions"), linked.path().join("sessions")).unwrap();
        conversation(TranscriptKind::Codex, "aa-1", from.path(), linked.path()).unwrap();
        assert_eq!(fs::read_to_string(from.path().join(PLACE)).unwrap(), "one\n");
    }

    #[test]
    fn says_which_conversation_is_missing() {
        let (from, to) = (home(None), home(None));
        let error = conversation(TranscriptKind::Codex, "zz-9", from.path(), to.path()).unwrap_err();
        assert!(error.to_string().ends_with("it has no conversation zz-9"), "{error}");
    }
}
