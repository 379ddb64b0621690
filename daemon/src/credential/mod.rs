//! Credentials: their names, what is known about them, where they live.

pub mod id;
pub mod state;
