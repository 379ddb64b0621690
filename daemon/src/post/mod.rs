//! Post: the directory of names, their queues, channels, broadcast and receipts. One actor owns all of it.
//!
//! # Theory of operation
//!
//! The gate and the sessions tell post what happens through one bounded queue of [`command::PostCommand`]s. The actor
//! takes whatever has queued up and passes it, with the time, to a core without I/O; the core answers with effects:
//! one chunk of encoded frames per connection, at most two submissions to the journal, injections for sessions.
//!
//! A durable message is journaled with all its recipients before anyone hears of it. Once that is on disk its sender
//! gets `accepted`, and it joins its recipient's queue, from which it goes the name's one path: the session, or the
//! primary connection, or the auxiliary that holds the lease. Each further step is journaled before it is shown as a
//! receipt. A volatile message takes the same queue without the journal, and when nothing is ahead of it, not even
//! that: its SEND frame becomes the DELIVER frame in place.
//!
//! Frames that clients do not acknowledge (CHANNEL_MESSAGE, and deliveries to a client that said so in HELLO) count as
//! `delivered` once they are written to the socket, on the evidence `connection` and no better.

mod actor;
pub mod command;
mod core;

pub use actor::Post;

#[cfg(test)]
mod tests;
