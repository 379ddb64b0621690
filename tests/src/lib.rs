//! What the project's tests share: a mock provider, isolated homes for real CLIs, a stand-in harness.

pub mod editor;
pub mod front;
pub mod fuzz;
pub mod killing;
pub mod lab;
pub mod mcp;
pub mod mock;
pub mod pty;
pub mod real;
pub mod soak;
pub mod stage;
pub mod standin;
pub mod until;
pub mod upgrade;
pub mod world;
