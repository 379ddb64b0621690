//! Finding the real CLIs, and what a test does without one.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Set to `1` where a missing CLI must fail the test instead of skipping it.
const REQUIRED: &str = "POSTHOUSE_REQUIRE_CLIS";

/// The program `name` on PATH, else where `.ci/install-clis` puts it.
pub fn find_cli(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/clis/node_modules/.bin");
    std::env::split_paths(&path)
        .chain([installed])
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
}

/// [`find_cli`] for tests: says visibly that the running test is skipped where there is no such CLI.
///
/// # Panics
/// When the CLI is missing and `POSTHOUSE_REQUIRE_CLIS=1`.
pub fn find_cli_or_skip(name: &str) -> Option<PathBuf> {
    let found = find_cli(name);
    if found.is_none() {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test").to_owned();
        let required = std::env::var_os(REQUIRED).is_some_and(|value| value == "1");
        assert!(!required, "{test} needs `{name}`, which `.ci/install-clis` installs");
        // Written to the stream itself: the test runner swallows what the print macros say.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: {test} needs `{name}`, which `.ci/install-clis` installs");
    }
    found
}

/// The path of a real CLI, or an early return from the test with a visible notice.
#[macro_export]
macro_rules! require_cli {
    ($name:expr) => {
        match $crate::lab::find_cli_or_skip($name) {
            Some(path) => path,
            None => return Default::default(),
        }
    };
}
