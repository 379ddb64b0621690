//! Isolated homes in which real harnesses run against the mock provider, and where to find the harnesses.
//!
//! A home holds only what a user's own configuration could hold, and names the mock as the proxy: what a harness
//! tries besides ends there, in the book.

mod claude;
mod cli;
mod codex;
mod home;

pub use claude::{ClaudeLogin, Expiry, claude_home};
pub use cli::{find_cli, find_cli_or_skip};
pub use codex::{CodexLogin, codex_home};
pub use home::{Home, Lab};
