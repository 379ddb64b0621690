//! Named places at which a test can stop, delay, break or kill this process, to see what the next one makes of it.
//!
//! They exist only in a debug build with the feature `fail-points`; in every other build a call compiles to nothing, so
//! no release has them however it is built. The workspace's test package asks for the feature: in this workspace, debug
//! programs have the points, and are as before until `POSTHOUSE_FAIL_POINTS` names a directory.
//!
//! # Theory of operation
//!
//! A point is armed by a file of its name in that directory, which says what to do (`armed.rs` has the words). The process
//! that reaches it renames the file to `NAME.reached` and acts: that file is the event a test waits for, and what makes
//! a point act once. A paused process goes on when there is `NAME.go`.
//!
//! The crate `fail` was looked at first. Its points are armed from within the process and tell nobody that they were
//! reached; its pause holds the thread, and it has no end without unwinding. Here the one who arms is another process, a
//! pause in asynchronous code leaves the runtime's thread to others, and `abort` is SIGKILL: nothing is flushed.

#[cfg(not(all(feature = "fail-points", debug_assertions)))]
mod absent;
#[cfg(all(feature = "fail-points", debug_assertions))]
mod armed;
mod point;

#[cfg(not(all(feature = "fail-points", debug_assertions)))]
pub use absent::{at, inherited, pass, reach};
#[cfg(all(feature = "fail-points", debug_assertions))]
pub use armed::{at, inherited, pass, reach};
pub use point::Point;

/// The variable that names the directory.
pub const VARIABLE: &str = "POSTHOUSE_FAIL_POINTS";

/// The point was armed with `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pass the fail point {}: it is armed with an error", .0.name())]
pub struct Injected(pub Point);
