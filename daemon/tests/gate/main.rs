//! The gate of a whole daemon: its real program, its real journal, real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;
mod identity;
mod lifecycle;
mod nonsense;
mod peer;
mod requests;
mod slow;
