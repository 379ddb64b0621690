//! JSON, with or without comments.

mod edit;
mod parse;
#[cfg(test)]
mod tests;

pub use edit::{put, take};
pub use parse::Strictness;
