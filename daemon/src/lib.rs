//! Daemon.

pub mod gate;
pub mod post;
pub mod principal;
pub mod session;
