//! Credentials: their names, what is known about them, where they live.
//!
//! The [`registry`] is the pure part: states, generations, who runs on what. The [`actor`] owns it, looks at logins on
//! disk, keeps keys in the [`vault`] and writes every change to the journal before anyone acts on it.

pub mod actor;
pub mod check;
pub mod command;
pub mod http;
pub mod id;
pub mod login;
pub mod probe;
pub mod record;
pub mod registry;
pub mod repair;
pub mod request;
pub mod state;
pub mod vault;
