//! What we know of each agent CLI, as data and as pure readers of what it shows.
//!
//! A [`definition`] says how a harness is launched, typed to and read; [`screen`], [`scan`], [`readiness`] and
//! [`observe`] turn its output into states and notices. Nothing here runs a harness; its program is only asked for its
//! [`version`].

pub mod catalog;
pub mod composer;
pub mod definition;
pub mod error;
pub mod escape;
pub mod flood;
pub mod home;
pub mod launch;
pub mod login_file;
pub mod observe;
pub mod osc;
pub mod pattern;
pub mod printed;
pub mod query;
pub mod readiness;
pub mod rules;
pub mod scan;
pub mod screen;
pub mod transcript;
pub mod version;
pub mod versions;
pub mod view;
