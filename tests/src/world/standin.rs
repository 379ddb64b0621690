//! A world that knows the stand-in harness.

use std::path::PathBuf;

use super::{World, program};
use crate::standin::DEFINITION;
use crate::standin::record::{Entry, entries};

impl World {
    /// An empty home, without a daemon, whose sessions can run the harness `standin`.
    ///
    /// # Panics
    /// When the programs are not built.
    pub fn with_standin() -> Self {
        let mut world = Self::new();
        let beside = program("standin").parent().map(PathBuf::from).unwrap_or_default();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(beside).chain(std::env::split_paths(&path)));
        world.set("PATH", path.expect("a path"));
        for (name, file) in
            [("STANDIN_LOG", "log"), ("STANDIN_HOME", "standin-home"), ("STANDIN_REVOKED", "revoked")]
        {
            world.set(name, world.home().join(file).as_os_str());
        }
        world.define_harness("standin", DEFINITION);
        world
    }

    /// What its stand-ins received.
    pub fn received(&self) -> Vec<Entry> {
        let log = self.home().join("log");
        entries(&log).into_iter().filter(|entry| entry.event == "received").collect()
    }
}
