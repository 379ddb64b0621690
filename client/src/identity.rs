//! Who the client says it is.

use posthouse_protocol::Name;

/// What the environment says of the session this process runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The session's name.
    pub session: String,
}

/// The session this process runs in, if any. The daemon finds out for itself; this only saves a refused HELLO.
pub fn inside(get: impl Fn(&str) -> Option<String>) -> Option<Inside> {
    get("POSTHOUSE_RUN")?;
    Some(Inside { session: get("POSTHOUSE_SESSION").unwrap_or_default() })
}

/// The name to say HELLO with: the session's own inside of one, else `POSTHOUSE_NAME`, else the login name made legal.
pub fn name(get: impl Fn(&str) -> Option<String>) -> String {
    let inside = inside(&get).map(|inside| inside.session).filter(|name| !name.is_empty());
    let given = inside.or_else(|| get("POSTHOUSE_NAME"));
    let login = || {
        nix::unistd::User::from_uid(nix::unistd::getuid())
            .ok()
            .flatten()
            .map(|user| user.name)
            .or_else(|| get("USER"))
    };
    let wanted = given.or_else(login).unwrap_or_default();
    let legal: String = wanted
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(64)
        .collect();
    if Name::parse(&legal).is_ok() { legal } else { "user".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(set: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn a_name_is_always_legal() {
        assert_eq!(name(env(&[("POSTHOUSE_NAME", "ann lee@host")])), "ann-lee-host");
        assert_eq!(name(env(&[("POSTHOUSE_NAME", "***")])), "user");
        let inside =
            env(&[("POSTHOUSE_RUN", "r"), ("POSTHOUSE_SESSION", "builder"), ("POSTHOUSE_NAME", "other")]);
        assert_eq!(name(inside), "builder");
    }
}
