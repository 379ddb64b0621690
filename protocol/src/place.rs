//! Where client and daemon meet: the one rule both follow to find the socket and the state.

use std::ffi::OsString;
use std::path::PathBuf;

/// File name of the socket in its directory.
pub const SOCKET: &str = "posthouse.sock";

/// The socket's path, from environment variables as `get` gives them.
///
/// `POSTHOUSE_SOCKET` names it outright; `POSTHOUSE_HOME=DIR` puts it in `DIR`; otherwise it is in
/// `$XDG_RUNTIME_DIR/posthouse`, and on hosts without one in `~/.local/state/posthouse`. `None` if not even `HOME` is
/// set.
pub fn socket(get: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("POSTHOUSE_SOCKET")
        .or_else(|| set("POSTHOUSE_HOME").map(|home| home.join(SOCKET)))
        .or_else(|| set("XDG_RUNTIME_DIR").map(|dir| dir.join("posthouse").join(SOCKET)))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/posthouse").join(SOCKET)))
}

/// The directory of what lasts, by the same variables: `POSTHOUSE_HOME/state`, else `$XDG_STATE_HOME/posthouse`, else
/// `~/.local/state/posthouse`.
pub fn state(get: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("POSTHOUSE_HOME")
        .map(|home| home.join("state"))
        .or_else(|| set("XDG_STATE_HOME").map(|dir| dir.join("posthouse")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/posthouse")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &'static [(&str, &str)]) -> Option<PathBuf> {
        socket(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
    }

    #[test]
    fn the_nearest_word_wins() {
        let all = &[
            ("POSTHOUSE_SOCKET", "/s"),
            ("POSTHOUSE_HOME", "/h"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("HOME", "/u"),
        ];
        assert_eq!(with(all), Some("/s".into()));
        assert_eq!(with(&[("POSTHOUSE_HOME", "/h"), ("HOME", "/u")]), Some("/h/posthouse.sock".into()));
        assert_eq!(with(&[("XDG_RUNTIME_DIR", "/r")]), Some("/r/posthouse/posthouse.sock".into()));
        assert_eq!(
            with(&[("HOME", "/u"), ("POSTHOUSE_HOME", "")]),
            Some("/u/.local/state/posthouse/posthouse.sock".into())
        );
        assert_eq!(with(&[]), None);
    }
}
