//! Sessions: one task each, and the registry that knows them by name.

pub mod adopt;
pub mod command;
pub mod drafting;
pub mod ending;
pub mod house;
pub mod injection;
pub mod live;
pub mod reading;
pub mod registry;
pub mod replay;
pub mod spec;
pub mod start;
pub mod task;
pub mod typable;
pub mod variables;
pub mod viewer;
