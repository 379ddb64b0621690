//! Whether there is room for the journal.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::finding::Finding;

const MIB: u64 = 1 << 20;
/// Below this much free room there should be some made.
const LITTLE: u64 = 1024 * MIB;
/// Below this much the journal is about to refuse messages.
const NONE: u64 = 64 * MIB;

/// Looks at the file system of the state directory.
pub(super) fn look(state: &Path) -> Finding {
    match statvfs(state) {
        Ok(found) => judge(state, found.blocks_available() * found.fragment_size()),
        Err(error) => Finding::doubt(format!("failed to ask for room in {}: {error}", state.display()), None),
    }
}

fn judge(state: &Path, free: u64) -> Finding {
    let detail = format!("{} MiB free for {}", free / MIB, state.display());
    let fix = || Some(format!("make room, or move POSTHOUSE_HOME; du -sh {}", state.display()));
    match free {
        ..NONE => Finding::bad(detail, fix()),
        NONE..LITTLE => Finding::doubt(detail, fix()),
        LITTLE.. => Finding::Good(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_fails_and_a_filling_one_warns() {
        let dir = Path::new("/s");
        assert!(matches!(judge(dir, 10 * MIB), Finding::Bad { .. }));
        assert!(matches!(judge(dir, 500 * MIB), Finding::Doubt { .. }));
        assert_eq!(judge(dir, 5000 * MIB), Finding::Good("5000 MiB free for /s".into()));
    }
}
