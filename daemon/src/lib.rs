//! Daemon.

pub mod credential;
pub mod failover;
pub mod gate;
pub mod harness;
pub mod journal;
pub mod post;
pub mod principal;
pub mod session;
