//! From what was seen to what is done. Observation, classification, route, decision and the ledger are pure; the
//! [`actor`] around them asks the credential room, and journals every decision.

pub mod actor;
pub mod case;
pub mod cases;
pub mod charge;
pub mod classify;
pub mod command;
pub mod decide;
pub mod drift;
pub mod failure;
pub mod kept;
pub mod last_words;
pub mod ledger;
pub mod observation;
pub mod pool;
pub mod reason;
pub mod repair;
pub mod reset;
pub mod route;
pub mod stagger;
