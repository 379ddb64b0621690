//! What is fuzzed: one function per parser that takes bytes from elsewhere. Each takes anything, panics only where a property
//! does not hold, and is called by the targets in `tests/fuzz` and by the bounded run in `tests/tests/fuzz_corpus.rs`.

mod dialogue;
mod files;
mod terminal;

pub use dialogue::{frames, hello, holder};
pub use files::{config, definition, reset};
pub use terminal::terminal;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("frames", frames),
    ("hello", hello),
    ("holder", holder),
    ("definition", definition),
    ("terminal", terminal),
    ("reset", reset),
    ("config", config),
];

/// Pieces of `data`, so that nothing may hang on how a stream is split.
fn pieces(data: &[u8], length: u8) -> impl Iterator<Item = &[u8]> {
    data.chunks(usize::from(length).max(1))
}
