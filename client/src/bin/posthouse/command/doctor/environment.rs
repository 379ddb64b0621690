//! Variables that lead this client to another daemon than the user may think.

use std::ffi::OsString;
use std::path::PathBuf;

use posthouse_protocol::payload::Check;
use posthouse_protocol::place;

use super::check;

/// `POSTHOUSE_SOCKET` goes over `POSTHOUSE_HOME`, which is easily forgotten.
pub(super) fn look(get: impl Fn(&str) -> Option<OsString>) -> Check {
    let set = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let name = "client environment";
    match (set("POSTHOUSE_SOCKET"), set("POSTHOUSE_HOME")) {
        (Some(socket), Some(home)) if socket != home.join(place::SOCKET) => {
            let detail = format!(
                "POSTHOUSE_SOCKET leads to {}, and not to the daemon of POSTHOUSE_HOME={}",
                socket.display(),
                home.display()
            );
            check(name, "warning", detail, Some("unset POSTHOUSE_SOCKET".to_owned()))
        }
        _ => match place::socket(&get) {
            Some(socket) => check(name, "ok", format!("leads to {}", socket.display()), None),
            None => {
                let detail = "neither POSTHOUSE_HOME nor HOME is set".to_owned();
                check(name, "failed", detail, Some("export POSTHOUSE_HOME=DIR".to_owned()))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_variables_that_disagree_are_a_warning() {
        let with = |set: &'static [(&str, &str)]| {
            look(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))).outcome
        };
        assert_eq!(with(&[("POSTHOUSE_HOME", "/h")]), "ok");
        assert_eq!(with(&[("POSTHOUSE_HOME", "/h"), ("POSTHOUSE_SOCKET", "/h/posthouse.sock")]), "ok");
        assert_eq!(with(&[("POSTHOUSE_HOME", "/h"), ("POSTHOUSE_SOCKET", "/other.sock")]), "warning");
        assert_eq!(with(&[]), "failed");
    }
}
