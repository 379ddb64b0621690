//! Reading the layers: files, variables and flags, all as TOML, so that a mistake is named the same way everywhere.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Config;
use super::limits::{JournalLayer, LimitsLayer, LogLayer, RunsLayer};

/// Sections, as variables name them.
const SECTIONS: &[&str] = &["limits", "runs", "journal", "log"];

/// Where configuration is looked for, lowest layer first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files that may be absent.
    pub files: Vec<PathBuf>,
    /// A file named by a flag: must exist, and takes the user's file's place.
    pub named_file: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// `section.key=value` from flags.
    pub settings: Vec<String>,
}

/// Where a layer comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// A variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(text) => write!(f, "--set {text}"),
        }
    }
}

/// Why the configuration was not taken. Nothing of it is in force then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key or value is wrong.
    #[error("read the configuration: {origin}{}: {why}", line.map_or(String::new(), |n| format!(", line {n}")))]
    Invalid {
        /// Where.
        origin: Origin,
        /// Line in the file, from 1.
        line: Option<usize>,
        /// What is wrong, with the key.
        why: String,
    },
    /// A file cannot be read.
    #[error("read the configuration: {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// One layer's text.
#[derive(Debug)]
pub(super) struct LayerText {
    origin: Origin,
    text: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Layer {
    limits: LimitsLayer,
    runs: RunsLayer,
    journal: JournalLayer,
    log: LogLayer,
}

impl Sources {
    pub(super) fn layers(&self) -> Result<Vec<LayerText>, ConfigError> {
        let mut layers = Vec::new();
        for path in &self.files {
            layers.extend(read(path, false)?);
        }
        if let Some(path) = &self.named_file {
            layers.extend(read(path, true)?);
        }
        for (name, value) in &self.variables {
            if let Some((section, key)) = variable_key(name) {
                layers.push(LayerText::of_value(Origin::Variable(name.clone()), &section, &key, value));
            }
        }
        for setting in &self.settings {
            let origin = Origin::Flag(setting.clone());
            let parts =
                setting.split_once('=').and_then(|(name, value)| Some((name.split_once('.')?, value)));
            let Some(((section, key), value)) = parts else {
                return Err(ConfigError::Invalid {
                    origin,
                    line: None,
                    why: "write it as section.key=value".to_owned(),
                });
            };
            layers.push(LayerText::of_value(origin, section.trim(), key.trim(), value.trim()));
        }
        Ok(layers)
    }
}

impl LayerText {
    fn of_value(origin: Origin, section: &str, key: &str, value: &str) -> Self {
        let bare = value.parse::<i64>().is_ok() || matches!(value, "true" | "false");
        let value = if bare { value.to_owned() } else { toml::Value::from(value).to_string() };
        let table = |name: &str| toml::Value::from(name).to_string();
        Self { origin, text: format!("{}.{} = {value}", table(section), table(key)) }
    }

    fn invalid(&self, at: Option<Range<usize>>, why: String) -> ConfigError {
        let line = match (&self.origin, at) {
            (Origin::File(_), Some(at)) => {
                self.text.get(..at.start).map(|before| before.matches('\n').count() + 1)
            }
            _ => None,
        };
        ConfigError::Invalid { origin: self.origin.clone(), line, why }
    }
}

impl Config {
    pub(super) fn take(&mut self, text: LayerText) -> Result<(), ConfigError> {
        let layer: Layer =
            toml::from_str(&text.text).map_err(|e| text.invalid(e.span(), e.message().to_owned()))?;
        self.limits
            .take(layer.limits)
            .and_then(|()| self.runs.take(layer.runs))
            .and_then(|()| self.journal.take(layer.journal))
            .and_then(|()| self.log.take(layer.log))
            .map_err(|(at, why)| text.invalid(Some(at), why))
    }
}

/// `POSTHOUSE_LIMITS_MAX_INFLIGHT` is `limits.max_inflight`; other `POSTHOUSE_` variables are not settings.
fn variable_key(name: &str) -> Option<(String, String)> {
    let name = name.strip_prefix("POSTHOUSE_")?.to_ascii_lowercase();
    let (section, key) = name.split_once('_')?;
    SECTIONS.contains(&section).then(|| (section.to_owned(), key.to_owned()))
}

fn read(path: &Path, must_exist: bool) -> Result<Option<LayerText>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(LayerText { origin: Origin::File(path.to_owned()), text })),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => Ok(None),
        Err(source) => Err(ConfigError::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[&str]) -> (tempfile::TempDir, Sources) {
        let dir = tempfile::tempdir().unwrap();
        let mut sources = Sources::default();
        for (n, text) in texts.iter().enumerate() {
            let path = dir.path().join(format!("{n}.toml"));
            std::fs::write(&path, text).unwrap();
            sources.files.push(path);
        }
        (dir, sources)
    }

    #[test]
    fn each_layer_goes_over_the_one_before() {
        let (_dir, mut sources) = files(&[
            "[limits]\nconnections = 1\nmax_inflight = 1\nhello_ms = 100\nheartbeat_ms = 100",
            "[limits]\nmax_inflight = 2\nhello_ms = 200\nheartbeat_ms = 200",
        ]);
        sources.files.push("/nonexistent/posthouse.toml".into());
        sources.variables = vec![
            ("POSTHOUSE_LIMITS_HELLO_MS".into(), "300".into()),
            ("POSTHOUSE_LIMITS_HEARTBEAT_MS".into(), "300".into()),
            ("POSTHOUSE_LOG_FILTER".into(), "debug".into()),
            ("POSTHOUSE_HOME".into(), "/somewhere".into()),
        ];
        sources.settings = vec!["limits.heartbeat_ms=400".into()];
        let config = Config::load(&sources).unwrap();
        let limits = &config.limits;
        assert_eq!(
            (limits.connections, limits.max_inflight, limits.hello_ms, limits.heartbeat_ms),
            (1, 2, 300, 400)
        );
        assert_eq!(config.log.filter, "debug");
        assert_eq!(config.journal, crate::config::Journal::default());
    }

    #[test]
    fn a_mistake_is_named_by_file_line_and_key() {
        let cases = [
            ("[limits]\n\nconections = 1", ", line 3: unknown field `conections`"),
            ("[limits]\nconnections = 0", ", line 2: connections: 0 is not between 1 and 1000000"),
            ("[limits]\nconnections = \"many\"", ", line 2: "),
            ("[limit]", ", line 1: unknown field `limit`"),
            ("[limits", ", line 1: "),
        ];
        for (text, expected) in cases {
            let (_dir, sources) = files(&[text]);
            let message = Config::load(&sources).unwrap_err().to_string();
            assert!(message.contains("/0.toml") && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn mistakes_in_variables_and_flags_are_named_too() {
        let variables = vec![("POSTHOUSE_LIMITS_FOO".into(), "1".into())];
        let message = Config::load(&Sources { variables, ..Sources::default() }).unwrap_err().to_string();
        assert!(
            message.contains("environment variable POSTHOUSE_LIMITS_FOO: unknown field `foo`"),
            "{message}"
        );
        for (flag, expected) in
            [("limits", "section.key=value"), ("limits.connections=-1", "--set limits.connections=-1")]
        {
            let settings = vec![flag.into()];
            let message = Config::load(&Sources { settings, ..Sources::default() }).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_file_named_by_a_flag_must_exist() {
        let sources =
            Sources { named_file: Some("/nonexistent/posthouse.toml".into()), ..Sources::default() };
        assert!(matches!(Config::load(&sources), Err(ConfigError::Io { .. })));
    }
}
