//! From what was seen to what is done: observation, classification, route and decision, all without I/O.

pub mod case;
pub mod cases;
pub mod charge;
pub mod classify;
pub mod command;
pub mod decide;
pub mod failure;
pub mod observation;
pub mod pool;
pub mod reason;
pub mod repair;
pub mod reset;
pub mod route;
