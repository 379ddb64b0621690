//! What can go wrong in the harness room.

use std::path::PathBuf;

use crate::paths::PathsError;

/// A failure of the harness room; its message completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// A definition file can't be read.
    #[error("read the harness definition {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A definition file is wrong.
    #[error("use the harness definition {place}: {message}")]
    Malformed {
        /// The file, with the line where it is known.
        place: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is no harness of that name.
    #[error("find the harness `{name}`; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The harness can't do what was asked for.
    #[error("launch {harness}: {why}")]
    Launch {
        /// The harness.
        harness: String,
        /// What stands in the way.
        why: String,
    },
    /// A file of the harness's home can't be read or written.
    #[error("{action} {}: {source}", path.display())]
    Home {
        /// What was tried, e.g. `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file of the harness's home can't be replaced.
    #[error(transparent)]
    Replace(#[from] PathsError),
    /// A file of the harness's home isn't what it should be; it is left as it is.
    #[error("edit {}: {why}", path.display())]
    HomeContent {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}
