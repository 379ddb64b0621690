//! The holder process: one thread, one `poll` loop, a few hundred KiB. It starts one run, keeps its
//! streams, serves one daemon at a time, and goes when the run's exit has been collected.

mod conn;
mod door;
mod ending;
mod holder;
mod inlet;
mod launch;
mod life;
mod outlet;
mod serve;
mod startup;
mod watch;

pub use startup::main;
