//! The run's own control group, where one has been delegated to this user: it kills a whole run at
//! once, however fast that forks. Everything works without it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::run::RunId;

/// The version 2 control group of this process.
pub(super) fn own() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let place = words.next()?;
        (words.next()? == "cgroup2").then_some(place)
    })?;
    Some(Path::new(mount).join(own))
}

/// Whether a group is delegated to this user: its directory belongs to them, who are not root (to whom every group
/// belongs).
pub(super) fn is_delegated(group: &Path) -> bool {
    let owner = fs::metadata(group).map_or(0, |found| found.uid());
    owner != 0 && owner == nix::unistd::getuid().as_raw()
}

/// A group that holds one run.
#[derive(Debug)]
pub(super) struct RunGroup(PathBuf);

impl RunGroup {
    /// Makes a group for `run` below `parent`.
    pub fn create(parent: &Path, run: RunId) -> io::Result<Self> {
        let path = parent.join(format!("run-{run}"));
        fs::create_dir(&path)?;
        let group = Self(path);
        // Without it (before Linux 5.14) the group is of no use.
        if !group.0.join("cgroup.kill").exists() {
            group.remove();
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        Ok(group)
    }

    /// The file through which a process joins by writing `0`.
    pub fn entrance(&self) -> io::Result<File> {
        File::options().write(true).open(self.0.join("cgroup.procs"))
    }

    /// Kills everything in it.
    pub fn kill(&self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
    }

    /// Removes it, once it is empty.
    pub fn remove(&self) {
        let _ = fs::remove_dir(&self.0);
    }
}
