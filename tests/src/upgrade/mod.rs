//! The upgrade matrix: two builds of Posthouse in one world, in each role and in both directions.
//!
//! # Theory of operation
//!
//! A [`Build`] is a directory with `posthouse`, `posthoused` and `posthouse-holder`. A [`Scene`] is played with an older
//! and a newer one, once each way, because a downgrade is an upgrade with the names exchanged. Every scene has a stand-in
//! agent and a canary, and looks at what cannot be embellished: process ids, the stand-in's own log, the terminal's bytes,
//! what the client prints. A scene panics where something is not as promised; [`play`] makes a line of that.

mod scenes;

use std::path::PathBuf;
use std::thread;

use crate::world::program;

/// The programs of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// As the table calls it.
    pub name: &'static str,
    /// Where they are.
    pub dir: PathBuf,
}

impl Build {
    /// What this workspace built.
    ///
    /// # Panics
    /// When it did not.
    pub fn present() -> Self {
        let dir = program("posthoused").parent().map(PathBuf::from).unwrap_or_default();
        Self { name: "new", dir }
    }

    /// What an earlier version was built to, in `dir`.
    ///
    /// # Errors
    /// The program that is not there.
    pub fn previous(dir: PathBuf) -> Result<Self, PathBuf> {
        let missing = PROGRAMS.map(|name| dir.join(name)).into_iter().find(|program| !program.is_file());
        missing.map_or(Ok(Self { name: "old", dir }), Err)
    }

    /// One of its programs.
    fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// What a build has.
const PROGRAMS: [&str; 3] = ["posthouse", "posthoused", "posthouse-holder"];

/// What two builds do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// A client of one speaks with the daemon of the other.
    Clients,
    /// A daemon of one dies, and one of the other takes over its journal and its holders.
    Adoption,
    /// A daemon of one runs the program of the other in its own place, with clients connected.
    InPlace,
}

impl Scene {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clients, Self::Adoption, Self::InPlace];

    /// What is shown, of a build `from` and a build `to`.
    pub fn title(self, from: &Build, to: &Build) -> String {
        let (from, to) = (from.name, to.name);
        match self {
            Self::Clients => format!("{from} client, {to} daemon"),
            Self::Adoption => format!("{to} daemon takes over {from} holders and journal"),
            Self::InPlace => format!("{from} daemon runs the {to} one in its place"),
        }
    }
}

/// Plays a scene.
///
/// # Errors
/// What was not as promised.
pub fn play(scene: Scene, from: &Build, to: &Build) -> Result<(), String> {
    let (from, to) = (from.clone(), to.clone());
    let played = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            match scene {
                Scene::Clients => scenes::clients(&from, &to).await,
                Scene::Adoption => scenes::adoption(&from, &to).await,
                Scene::InPlace => scenes::in_place(&from, &to).await,
            }
        });
    });
    played.join().map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}
