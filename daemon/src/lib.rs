//! The daemon that owns coding-agent sessions, and the holder that keeps each of their processes.
//!
//! # Theory of operation
//!
//! A message comes in at the [`gate`], which knows who is speaking; [`post`] resolves its recipients, has the [`journal`]
//! keep it, and hands it to a connection or to a [`session`]; the session types it when its harness can take it, through
//! the [`holder`] that owns the harness's terminal. What came of each step travels back as a receipt. Calls go down this
//! chain and values come back up; no room calls the one above it.
//!
//! A [`harness`] is known by its definition, which is data. What a session sees of a failure becomes one observation;
//! [`failover`] classifies it, decides, and answers with an instruction; the [`credential`] room keeps logins, keys and what
//! is known of them. [`replay`] puts recordings through the same path.
//!
//! The cores (`post::core`, `session::injection`, `session::restart`, `failover::classify`, `failover::decide`,
//! `harness::readiness`, `holder::script`, `holder::ring`) are pure: time and chance are arguments, and property tests hold
//! them to models. Around each there is one actor that owns its state and takes messages from a bounded queue. Gate and
//! post share one thread, so that a message between clients wakes no other; sessions and failover share two; the journal
//! commits on one of its own whatever queued up while its last commit ran.
//!
//! The daemon can die at any moment: holders go on, the journal has what was promised, and the next daemon takes both up
//! ([`session::adopt`]). [`renewal`] does the same on purpose, in the same process.

pub mod clock;
pub mod config;
pub mod credential;
pub mod daemon;
pub mod fail_point;
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
