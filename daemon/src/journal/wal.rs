//! The write-ahead log's file. Its room is made in advance and used again and again, because a flush that also makes a
//! file longer takes twice as long; and it is copied back into the database by a thread of its own, so that no commit
//! waits for that.

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

/// Pages of the log at which a commit itself copies back what is left, so that the log begins again at its start.
pub(super) const PAGES: u32 = 2048;

/// Bytes that many pages take, with their frame headers.
const BYTES: u64 = PAGES as u64 * (4096 + 24) + 32;

/// Makes room in the log of the database at `path`, which is open. What is there stays; SQLite takes zeros after the
/// last commit for the end of the log.
pub(super) fn make_room(path: &Path) -> io::Result<()> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let mut file = OpenOptions::new().write(true).open(PathBuf::from(log))?;
    let before = file.seek(SeekFrom::End(0))?;
    let made = fill(&mut file, before);
    if made.is_err() {
        // On a disk that is nearly full the space is needed for what matters.
        file.set_len(before)?;
    }
    made
}

/// Writes zeros and not a hole, which would have to be filled in after all. They reach the disk with the first flush.
fn fill(file: &mut std::fs::File, from: u64) -> io::Result<()> {
    let zeros = vec![0; 256 * 1024];
    let mut left = BYTES.saturating_sub(from);
    while left > 0 {
        let part = zeros.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&zeros);
        file.write_all(part)?;
        left -= part.len() as u64;
    }
    Ok(())
}

/// Copies back in the background when woken. Waking it is never waited for: if it is busy, it is at it already.
pub(super) struct Copier {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Copier {
    /// Starts the thread, on a connection of its own.
    pub(super) fn start(db: Connection) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread =
            std::thread::Builder::new().name("journal-copier".to_owned()).spawn(move || copy(&db, &woken))?;
        Ok(Self { wake, thread })
    }

    pub(super) fn wake(&self) {
        let _ = self.wake.try_send(());
    }

    /// Ends the thread once it has finished what it is at.
    pub(super) fn stop(self) {
        drop(self.wake);
        // A panic there has already been reported by its thread.
        let _ = self.thread.join();
    }
}

fn copy(db: &Connection, woken: &Receiver<()>) {
    while let Ok(()) = woken.recv() {
        // PASSIVE never makes the writer wait, nor a reader.
        if let Err(error) = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "copying the journal's log back failed");
        }
    }
}
