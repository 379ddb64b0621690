//! The tools, by what they are about. Numbers in schemas are of types that every client knows.

mod accounts;
mod channels;
mod receiving;
mod sending;
mod sessions;
