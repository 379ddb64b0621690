//! The journal on real SQLite files in temporary directories.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod build;
mod commit;
mod crash;
mod dedupe;
mod disk;
mod events;
mod inbox;
mod model;
mod retention;
mod schema;
mod torn;
