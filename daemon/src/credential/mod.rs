//! Credentials: their names, what is known about them, where they live.
//!
//! The [`registry`] is the pure part: states, generations, who runs on what. The [`actor`] owns it, looks at logins on
//! disk, keeps keys in the [`vault`] and writes every change to the journal before anyone acts on it. What a login's file
//! says is read in [`tokens`]; [`check`] sends an [`errand`] to its provider and takes over what it found out, by the rules
//! of [`probe`]; [`login_flow`] is what a person's new login takes. A login of Posthouse's own is refreshed by [`refresh`]; a
//! [`lease`] keeps harnesses from refreshing one of theirs at once.

pub mod actor;
pub mod check;
pub mod command;
pub mod errand;
pub mod grant;
pub mod http;
pub mod id;
pub mod lease;
pub mod login;
pub mod login_flow;
pub mod probe;
pub mod record;
pub mod refresh;
pub mod registry;
pub mod renewing;
pub mod repair;
pub mod request;
pub mod skew;
pub mod state;
pub mod tokens;
pub mod vault;
