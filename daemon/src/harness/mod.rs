//! What we know of each agent CLI, as data and as pure readers of what it shows.
//!
//! Nothing here starts or signals a process: a [`definition`] says how a harness is launched, typed to and read;
//! [`screen`], [`scan`], [`readiness`] and [`observe`] turn its output into states and notices.

pub mod catalog;
pub mod composer;
pub mod definition;
pub mod error;
pub mod escape;
pub mod flood;
pub mod home;
pub mod launch;
pub mod observe;
pub mod osc;
pub mod pattern;
pub mod query;
pub mod readiness;
pub mod rules;
pub mod scan;
pub mod screen;
pub mod transcript;
pub mod view;
