//! Whether what is the user's own is so: the socket, and the directories of the daemon.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::finding::Finding;
use crate::gate::Place;

/// Which bits of a mode must not be set, and the mode to be set instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    forbidden: u32,
    better: &'static str,
}

impl Mode {
    /// A file of the user's alone.
    pub(super) const FILE: Self = Self { forbidden: 0o077, better: "600" };
    /// A directory of the user's alone.
    pub(super) const DIRECTORY: Self = Self { forbidden: 0o077, better: "700" };
    /// A directory that others may look into and not write to.
    pub(super) const UNWRITABLE: Self = Self { forbidden: 0o022, better: "700" };
}

/// The socket that clients find.
pub(super) fn socket(place: &Place) -> Finding {
    private(&place.socket, place.uid, Mode::FILE)
}

/// The directories around the socket and of the state.
pub(super) fn state(place: &Place) -> Finding {
    let around = place.socket.parent().map(|dir| private(dir, place.uid, Mode::DIRECTORY));
    match around {
        Some(wrong @ (Finding::Doubt { .. } | Finding::Bad { .. })) => wrong,
        _ => private(&place.state, place.uid, Mode::DIRECTORY),
    }
}

/// Whether `path` is the user's and closed enough.
pub(super) fn private(path: &Path, uid: u32, mode: Mode) -> Finding {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => Finding::bad(format!("failed to look at {shown}: {error}"), None),
        Ok(meta) if meta.uid() != uid => {
            Finding::bad(format!("{shown} belongs to user {}", meta.uid()), None)
        }
        Ok(meta) if meta.mode() & mode.forbidden != 0 => Finding::doubt(
            format!("{shown} is open to others (mode {:04o})", meta.mode() & 0o7777),
            Some(format!("chmod {} {shown}", mode.better)),
        ),
        Ok(meta) => Finding::Good(format!("{shown}, mode {:04o}", meta.mode() & 0o7777)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_may_use_is_told_with_the_command_that_closes_it() {
        let dir = tempfile::tempdir().unwrap();
        let uid = nix::unistd::geteuid().as_raw();
        let set = |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o700);
        assert!(matches!(private(dir.path(), uid, Mode::DIRECTORY), Finding::Good(_)));
        set(0o750);
        let fix = Some(format!("chmod 700 {}", dir.path().display()));
        assert!(
            matches!(private(dir.path(), uid, Mode::DIRECTORY), Finding::Doubt { fix: told, .. } if told == fix)
        );
        assert!(matches!(private(dir.path(), uid + 1, Mode::DIRECTORY), Finding::Bad { .. }));
        assert!(matches!(private(&dir.path().join("none"), uid, Mode::DIRECTORY), Finding::Bad { .. }));
    }
}
