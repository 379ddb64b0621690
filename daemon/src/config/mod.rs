//! Configuration: built-in values, then `/etc/posthouse/config.toml`, the user's `config.toml`, the environment
//! (`POSTHOUSE_SECTION_KEY`) and `--set section.key=value`, each over the one before. Nothing is ever read from a
//! project folder. `docs/operating.md` lists the settings.

mod layer;
mod limits;
mod section;

use std::path::PathBuf;

pub use layer::{ConfigError, Origin, Sources};
pub use limits::{Journal, Limits, Log, Runs};
pub use section::Setting;

/// All that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What connections and requests may take.
    pub limits: Limits,
    /// What a run may take.
    pub runs: Runs,
    /// How much history is kept.
    pub journal: Journal,
    /// What is logged.
    pub log: Log,
}

impl Config {
    /// Reads every layer of `sources`. A file that does not exist is an empty layer, unless it was named by a flag.
    ///
    /// # Errors
    /// The first value or key that is wrong, with its file and line or its variable.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for layer in sources.layers()? {
            config.take(layer)?;
        }
        Ok(config)
    }

    /// Every setting with its built-in value.
    pub fn settings() -> Vec<Setting> {
        [Limits::settings(), Runs::settings(), Journal::settings(), Log::settings()].concat()
    }
}

/// Where the system's configuration is.
pub fn system_file() -> PathBuf {
    PathBuf::from("/etc/posthouse/config.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_in_the_operating_guide() {
        let guide = include_str!("../../../docs/operating.md");
        for Setting { name, default, meaning } in Config::settings() {
            let row = format!("| `{name}` | {default} | {} |", meaning.trim_end_matches('.'));
            assert!(guide.contains(&row), "docs/operating.md lacks {row}");
        }
    }
}
