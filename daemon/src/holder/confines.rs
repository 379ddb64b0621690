//! What a run's processes may take together, where the system lets this user say so.
//!
//! A control group that was delegated to the daemon gets a group for each run, in which the run's holder makes its own.
//! Limits are on the former, so that holders need not know of them. A group whose children are limited must not have
//! processes itself, and systemd could not start the daemon anew in such a one: limits are set only where the daemon was
//! started in a subgroup of its unit (`DelegateSubgroup=daemon` of systemd 254 and later). What is above a unit is
//! systemd's, even where it belongs to the same user.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cgroup;
use super::run::RunId;
use crate::config;

/// What the name of a limited run's group begins with.
const PREFIX: &str = "confined-";
/// The subgroup that the unit asks for.
const SUBGROUP: &str = "daemon";
/// What limits are said with.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// Where runs' groups are made.
#[derive(Debug, Default)]
pub struct Confines {
    /// The group that holders make theirs in.
    base: Option<PathBuf>,
    force: Force,
}

/// Whether there are limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// None are wanted.
    #[default]
    Unwanted,
    /// They hold for each run.
    Held(config::Runs),
    /// They are wanted, but cannot be set; why.
    Unmet(String),
}

impl Confines {
    /// Looks for what was delegated to this process, and prepares it for `wanted`.
    pub fn find(wanted: &config::Runs) -> Self {
        let own = cgroup::own().filter(|own| cgroup::is_delegated(own));
        if wanted.memory_bytes == 0 && wanted.tasks == 0 {
            return Self { base: own, force: Force::Unwanted };
        }
        let above = own.as_deref().and_then(unit_of).filter(|above| cgroup::is_delegated(above));
        let prepared = match above {
            Some(above) => prepare(above).map(|()| above.to_owned()),
            None => {
                Err(format!("the daemon was not started in the subgroup {SUBGROUP} of a unit of its own"))
            }
        };
        match prepared {
            Ok(base) => Self { base: Some(base), force: Force::Held(wanted.clone()) },
            Err(why) => {
                tracing::warn!("failed to limit what runs may take: {why}");
                Self { base: own, force: Force::Unmet(why) }
            }
        }
    }

    /// Whether there are limits, and why not.
    pub fn force(&self) -> &Force {
        &self.force
    }

    /// The group in which a run's holder is to make the run's own.
    pub fn make_for(&self, run: RunId) -> Option<PathBuf> {
        let base = self.base.as_deref()?;
        let Force::Held(limits) = &self.force else { return Some(base.to_owned()) };
        let group = base.join(format!("{PREFIX}{run}"));
        match limit(&group, limits) {
            Ok(()) => Some(group),
            Err(error) => {
                tracing::warn!(%run, "failed to limit what a run may take: {error}");
                let _ = fs::remove_dir(&group);
                None
            }
        }
    }

    /// Takes back what was made for a run that is gone.
    pub fn remove_of(&self, run: RunId) {
        if let (Some(base), Force::Held(_)) = (&self.base, &self.force) {
            let _ = fs::remove_dir(base.join(format!("{PREFIX}{run}")));
        }
    }
}

/// The group of the unit that this is the daemon's subgroup of.
fn unit_of(own: &Path) -> Option<&Path> {
    let above = own.parent()?;
    let is_unit = above.extension().is_some_and(|kind| kind == "service" || kind == "scope");
    (own.file_name()? == SUBGROUP && is_unit).then_some(above)
}

/// Lets the children of a group be limited, and removes what earlier daemons left there: groups in which there still is
/// something cannot be removed.
fn prepare(base: &Path) -> Result<(), String> {
    let fail = |what: &str, error: io::Error| format!("{what} {}: {error}", base.display());
    let has = fs::read_to_string(base.join("cgroup.controllers")).map_err(|e| fail("ask what limits", e))?;
    let missing: Vec<&str> = CONTROLLERS
        .into_iter()
        .filter(|wanted| !has.split_whitespace().any(|name| name == *wanted))
        .collect();
    if !missing.is_empty() {
        return Err(format!("{} has no controller for {}", base.display(), missing.join(" and ")));
    }
    let words = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
    fs::write(base.join("cgroup.subtree_control"), words).map_err(|e| fail("pass limits on in", e))?;
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

fn limit(group: &Path, limits: &config::Runs) -> io::Result<()> {
    fs::create_dir(group)?;
    for (file, most) in [("memory.max", limits.memory_bytes), ("pids.max", limits.tasks)] {
        if most > 0 {
            fs::write(group.join(file), most.to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(controllers: &str) -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("cgroup.controllers"), controllers).unwrap();
        base
    }

    #[test]
    fn only_the_subgroup_of_a_unit_has_something_above_it_to_be_divided() {
        let unit = Path::new("/g/app.slice/posthouse.service");
        assert_eq!(unit_of(&unit.join("daemon")), Some(unit));
        assert_eq!(unit_of(unit), None);
        assert_eq!(unit_of(Path::new("/g/app.slice/daemon")), None);
    }

    #[test]
    fn a_group_without_the_controllers_is_named_with_what_it_lacks() {
        let base = group("cpu pids\n");
        let why = prepare(base.path()).unwrap_err();
        assert!(why.ends_with("has no controller for memory"), "{why}");
    }

    #[test]
    fn limits_are_passed_on_and_what_is_empty_is_swept() {
        let base = group("cpuset cpu io memory pids\n");
        let old = base.path().join("confined-old");
        fs::create_dir(&old).unwrap();
        prepare(base.path()).unwrap();
        assert_eq!(fs::read_to_string(base.path().join("cgroup.subtree_control")).unwrap(), "+memory +pids");
        assert!(!old.exists());
    }

    #[test]
    fn a_run_has_a_group_with_what_is_limited_and_nothing_else() {
        let base = group("memory pids\n");
        let limits = config::Runs { memory_bytes: 1 << 30, tasks: 0 };
        let confines = Confines { base: Some(base.path().to_owned()), force: Force::Held(limits) };
        let run = RunId::new(uuid::Uuid::from_u128(7));
        let made = confines.make_for(run).unwrap();
        assert_eq!(fs::read_to_string(made.join("memory.max")).unwrap(), (1u64 << 30).to_string());
        assert!(!made.join("pids.max").exists());
        assert_eq!(confines.make_for(run), None, "two runs never share a group");
        assert_eq!(Confines::default().make_for(run), None);
    }
}
