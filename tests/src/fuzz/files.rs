//! Files of the user's, and what providers say about time.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use posthoused::config::{Config, Sources};
use posthoused::failover::classify::classify;
use posthoused::failover::observation::{Channel, Observation};
use posthoused::harness::catalog::Catalog;

/// A harness definition.
pub fn definition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut catalog = Catalog::builtin().expect("the built-in definitions");
    let before = catalog.names().count();
    match catalog.add("fuzzed.toml", text) {
        Ok(()) => assert!(catalog.names().count() >= before),
        Err(error) => {
            assert!(error.to_string().contains("fuzzed.toml"), "the error names the file: {error}");
            assert_eq!(catalog.names().count(), before, "nothing is left of a bad one");
        }
    }
}

/// A sentence that may say when a limit ends.
pub fn reset(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = Timestamp::from_second(1_795_761_754).expect("a time");
    for harness in ["codex", "claude", "gemini"] {
        let mut seen = Observation::new(harness, Channel::Terminal, text.as_ref());
        seen.status = Some(429);
        seen.observed_at = Some(now);
        let verdict = classify(&seen, now, &TimeZone::UTC);
        let Some(until) = verdict.failure().and_then(|failure| failure.until) else { continue };
        let wait = until.duration_since(now);
        assert!(wait <= SignedDuration::from_hours(24 * 32), "no limit lasts for {wait:?}");
    }
}

/// A configuration file, and the same as settings of a command line.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let sources = |file: Option<std::path::PathBuf>, settings: Vec<String>| Sources {
        files: Vec::new(),
        named_file: file,
        variables: vec![("POSTHOUSE_LIMITS_CONNECTIONS".to_owned(), text.replace('\0', ""))],
        settings,
    };
    let _ = Config::load(&sources(None, text.lines().map(str::to_owned).collect()));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), data).expect("a file");
    let loaded =
        Config::load(&Sources { variables: Vec::new(), ..sources(Some(file.path().to_owned()), Vec::new()) });
    if let Err(error) = loaded {
        assert!(!error.to_string().is_empty());
    }
}
