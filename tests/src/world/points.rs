//! Fail points of a world's processes: armed by files, reached as an event. See `daemon/src/fail_point`.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use posthoused::fail_point::{Point, VARIABLE};

use super::{PATIENCE, World};

/// Arms points and waits for them.
#[derive(Clone, Debug)]
pub struct Points {
    dir: PathBuf,
}

impl World {
    /// Has the daemon and its holders, from their next start on, come by their fail points.
    pub fn with_points(&mut self) -> Points {
        let dir = self.home().join("points");
        fs::create_dir_all(&dir).expect("a directory for fail points");
        self.set(VARIABLE, dir.as_os_str());
        Points { dir }
    }
}

impl Points {
    /// Has a point do this once, the `after`+1st time it is reached: `abort`, `pause`, `error` or `delay MILLISECONDS`.
    pub fn arm(&self, point: Point, action: &str, after: u32) {
        let _ = fs::remove_file(self.file(point, ".reached"));
        let words = if after == 0 { action.to_owned() } else { format!("{action} after {after}") };
        let draft = self.file(point, ".draft");
        fs::write(&draft, words).expect("a file");
        fs::rename(draft, self.file(point, "")).expect("a file");
    }

    /// Takes back what was armed and not reached.
    pub fn disarm(&self, point: Point) {
        let _ = fs::remove_file(self.file(point, ""));
    }

    /// Whether it was reached and acted.
    pub fn is_reached(&self, point: Point) -> bool {
        self.file(point, ".reached").exists()
    }

    /// Waits until it is reached.
    ///
    /// # Panics
    /// When it is not within [`PATIENCE`].
    pub fn wait(&self, point: Point) {
        let begun = Instant::now();
        while !self.is_reached(point) {
            assert!(begun.elapsed() < PATIENCE, "{} was not reached", point.name());
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }

    /// Lets whoever paused there go on.
    pub fn go_on(&self, point: Point) {
        fs::write(self.file(point, ".go"), "").expect("a file");
    }

    fn file(&self, point: Point, suffix: &str) -> PathBuf {
        self.dir.join(format!("{}{suffix}", point.name()))
    }
}
