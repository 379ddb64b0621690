//! The process that owns one run's terminal or pipes and outlives the daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    posthoused::holder::process::main()
}
