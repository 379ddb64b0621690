//! Sessions: one task each, and the registry that knows them by name.

pub mod adopt;
pub mod brief;
pub mod carry;
pub mod command;
pub mod conversation;
pub mod drafting;
pub mod ending;
pub mod house;
pub mod injection;
pub mod kept;
pub mod live;
pub mod luggage;
pub mod picture;
pub mod reading;
pub mod registry;
pub mod replay;
pub mod restart;
pub mod spec;
pub mod start;
pub mod suspicion;
pub mod task;
pub mod tree;
pub mod turn;
pub mod typable;
pub mod variables;
pub mod viewer;
