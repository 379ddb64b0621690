//! Sessions: one task each, and the registry that knows them by name.

pub mod command;
