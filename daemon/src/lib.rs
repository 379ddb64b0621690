//! Daemon.

pub mod config;
pub mod credential;
pub mod daemon;
pub mod failover;
pub mod gate;
pub mod harness;
pub mod holder;
pub mod journal;
pub mod lasting;
pub mod log;
pub mod machine;
pub mod panics;
pub mod paths;
pub mod post;
pub mod principal;
pub mod renewal;
pub mod replay;
pub mod session;
pub mod sys;
