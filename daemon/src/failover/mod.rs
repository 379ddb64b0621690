//! From what was seen to what is done: observation, classification, route and decision, all without I/O.

pub mod failure;
pub mod route;
