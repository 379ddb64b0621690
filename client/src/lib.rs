//! A thin client of the Posthouse daemon.
//!
//! # Theory of operation
//!
//! [`Client::connect`] opens the daemon's socket and shakes hands; from then on the connection has one user, who either
//! [`call`](Client::call)s (one request, one answer) or reads what the daemon pushes ([`Client::next`]). There is no
//! background task: heartbeats are answered whenever the client is read, and frames that arrive while a call waits for
//! its answer are kept for `next` in their order.
//!
//! [`launch`] starts a daemon where none runs, but never from inside a session: an agent must not bring up the
//! supervisor that is supposed to own it.

mod claim;
pub mod connection;
pub mod error;
pub mod identity;
pub mod launch;

pub use connection::{Client, Options};
pub use error::ClientError;
