//! Recordings of harnesses, put through the same detection as live ones: what would have been decided, and when.
//!
//! A recording is what a person sends with a report of a failure that was misread, and what rules are tested on. It is
//! read here whole; nothing is started and nothing is changed.

mod frames;
mod judge;
pub mod player;
pub mod recording;
mod terminal;

use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::harness::catalog::Catalog;
use crate::harness::error::HarnessError;
use judge::Judge;
use recording::{Recording, RecordingError};

/// Why a recording was not played; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no such harness.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// The file is none.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The decisions could not be written.
    #[error("write the decisions: {0}")]
    Output(#[from] io::Error),
}

/// Plays a file of `harness` and writes one JSON line for every decision, `none` included.
///
/// # Errors
/// The harness is not known, the file is no recording (with the line that is wrong), or the output is closed.
pub fn replay(
    catalog: &Catalog,
    harness: &str,
    file: &Path,
    mut output: impl Write,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(), ReplayError> {
    let definition = catalog.get(harness)?;
    let mut judge = Judge::new(&definition.name, now, zone.clone());
    match Recording::read(file)? {
        Recording::Headless { lines, exit } => frames::headless(&lines, exit, &mut judge),
        Recording::Structured { messages } => frames::structured(&messages, &mut judge),
        Recording::Terminal { events, exit } => terminal::play(definition, &events, exit, &mut judge),
    }
    for decision in judge.decisions() {
        serde_json::to_writer(&mut output, decision).map_err(io::Error::from)?;
        output.write_all(b"\n")?;
    }
    Ok(output.flush()?)
}
