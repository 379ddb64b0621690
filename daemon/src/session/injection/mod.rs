//! Putting messages into a harness: a pure state machine that decides what is typed and when, what it
//! proves, and what a restart must ask before anything is typed again.

pub mod framing;
pub mod header;
pub mod injector;
pub mod lanes;
pub mod operation;
pub mod prompt;
pub mod rules;
pub mod sight;
pub mod words;
