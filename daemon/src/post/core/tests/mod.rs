//! What post does, tested without I/O.

mod direct;
mod journal;
mod world;
