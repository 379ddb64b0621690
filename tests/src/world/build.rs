//! Building what `cargo run` does not build by itself.

use std::process::Command;

/// Builds the daemon, its holder and the client beside a program of this package that was started by `cargo run`.
///
/// # Errors
/// What went wrong, for people.
pub fn build_programs() -> Result<(), String> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo build ended with {status}")),
        Err(e) => Err(e.to_string()),
    }
}
