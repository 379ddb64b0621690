//! Which login or key a harness would use by itself, and what that one keeps from being used.

use std::path::{Path, PathBuf};

use posthouse_protocol::payload::{Check, CredentialInfo};
use serde_json::Value;

use super::finding::Finding;
use crate::harness::catalog::Catalog;
use crate::harness::definition::{Definition, KeySource};

/// Largest settings file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Looks at every harness that says where it looks: without a route, and on each registered home.
pub(super) fn look(
    catalog: &Catalog,
    known: &[CredentialInfo],
    user: Option<&Path>,
    is_set: impl Fn(&str) -> bool,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for definition in catalog.definitions().filter(|definition| !definition.credential.sources.is_empty()) {
        let default = definition.credential.default_home.as_ref();
        let home = user.and_then(|user| Some(user.join(default?)));
        let found = present(&definition.credential.sources, home.as_deref(), &is_set);
        if !found.is_empty() {
            checks.push(without_a_route(&found).of(format!("keys {}", definition.name)));
        }
        checks.extend(known.iter().filter_map(|known| on_a_home(definition, known)));
    }
    checks
}

/// A session without a route runs on the first; a login that stands behind a key is one that the user may think is used.
fn without_a_route(found: &[Found]) -> Finding {
    let Some((winner, rest)) = found.split_first() else { return Finding::Good("none".to_owned()) };
    let mut detail = format!("a session without a route runs on {}", winner.place);
    if rest.is_empty() {
        return Finding::Good(detail);
    }
    let rest_places: Vec<&str> = rest.iter().map(|found| found.place.as_str()).collect();
    detail.push_str(&format!("; it stands before {}", rest_places.join(" and ")));
    match &winner.mend {
        Some(mend) if rest.iter().any(|found| found.is_login) => Finding::doubt(detail, Some(mend.clone())),
        _ => Finding::Good(detail),
    }
}

/// On a home that is on a route the environment is clean, but its own settings may still name another key.
fn on_a_home(definition: &Definition, known: &CredentialInfo) -> Option<Check> {
    let home = Path::new(known.home.as_deref()?);
    if definition.provider.as_deref() != Some(known.provider.as_str()) {
        return None;
    }
    let found = present(&definition.credential.sources, Some(home), |_| false);
    let stray = found.first().filter(|first| !first.is_login)?;
    let detail = format!("{} runs on {} and not on this home's login", definition.name, stray.place);
    let name = format!("keys {}/{}", known.provider, known.alias);
    Some(Finding::doubt(detail, stray.mend.clone()).of(name))
}

/// A source that is there.
struct Found {
    place: String,
    is_login: bool,
    /// What takes it away.
    mend: Option<String>,
}

fn present(sources: &[KeySource], home: Option<&Path>, is_set: impl Fn(&str) -> bool) -> Vec<Found> {
    let find = |source: &KeySource| match source {
        KeySource::Variable(name) => is_set(name).then(|| Found {
            place: format!("{name} of the daemon's environment"),
            is_login: false,
            mend: Some(format!("posthouse down && unset {name} && posthouse up")),
        }),
        KeySource::Setting { file, keys } => {
            let file = home?.join(file);
            let mut value = &settings(&file)?;
            for key in keys {
                value = value.get(key)?;
            }
            let name = keys.join(".");
            let shown = file.display();
            value.as_str().filter(|value| !value.is_empty()).map(|_| Found {
                place: format!("{name} in {shown}"),
                is_login: false,
                mend: Some(format!("take {name} out of {shown}")),
            })
        }
        KeySource::Login(file) => {
            let file: PathBuf = home?.join(file);
            let place = format!("the login in {}", file.display());
            file.is_file().then_some(Found { place, is_login: true, mend: None })
        }
    };
    sources.iter().filter_map(find).collect()
}

/// What can't be read is the harness's to complain of.
fn settings(file: &Path) -> Option<Value> {
    let meta = std::fs::metadata(file).ok()?;
    (meta.is_file() && meta.len() <= LARGEST).then_some(())?;
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user's home with a login of claude's and these settings.
    fn user(settings: &str) -> tempfile::TempDir {
        let user = tempfile::tempdir().unwrap();
        let home = user.path().join(".claude");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join(".credentials.json"), "{}").unwrap();
        std::fs::write(home.join("settings.json"), settings).unwrap();
        user
    }

    fn known(home: &Path) -> CredentialInfo {
        CredentialInfo {
            provider: "anthropic".into(),
            alias: "max".into(),
            kind: "home".into(),
            home: Some(home.display().to_string()),
            base_url: None,
            state: "valid".into(),
            generation: 1,
            why: None,
            until: None,
            proven_at: None,
            sessions: vec![],
            repair: None,
            login: Default::default(),
            verified_by: Default::default(),
        }
    }

    fn checks(user: &Path, known: &[CredentialInfo], set: &[&str]) -> Vec<Check> {
        look(&Catalog::builtin().unwrap(), known, Some(user), |name| set.contains(&name))
    }

    #[test]
    fn the_winner_is_named_with_what_it_stands_before() {
        let user = user("{}");
        let alone = checks(user.path(), &[], &[]);
        assert_eq!((alone.len(), alone[0].outcome.as_str()), (1, "ok"));
        assert!(alone[0].detail.contains("the login in"), "{alone:?}");
        let shadowed = checks(user.path(), &[], &["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]);
        assert_eq!(shadowed[0].outcome, "warning");
        let detail = &shadowed[0].detail;
        assert!(
            detail.contains(
                "runs on ANTHROPIC_API_KEY of the daemon's environment; it stands before CLAUDE_CODE"
            )
        );
        assert_eq!(
            shadowed[0].fix.as_deref(),
            Some("posthouse down && unset ANTHROPIC_API_KEY && posthouse up")
        );
    }

    #[test]
    fn a_stray_key_in_the_settings_of_a_registered_home_is_found() {
        for (settings, stray) in [
            (r#"{"apiKeyHelper":"/bin/key"}"#, "apiKeyHelper in"),
            (r#"{"env":{"ANTHROPIC_API_KEY":"sk-ant-canary"}}"#, "env.ANTHROPIC_API_KEY in"),
        ] {
            let user = user(settings);
            let found = checks(user.path(), &[known(&user.path().join(".claude"))], &[]);
            let check = found.iter().find(|check| check.name == "keys anthropic/max").unwrap();
            assert_eq!(check.outcome, "warning");
            assert!(check.detail.contains(stray) && !check.detail.contains("canary"), "{check:?}");
        }
        let user = user(r#"{"env":{"ANTHROPIC_API_KEY":""}, "model":"x"}"#);
        let clean = checks(user.path(), &[known(&user.path().join(".claude"))], &[]);
        assert!(clean.iter().all(|check| check.outcome == "ok"), "{clean:?}");
    }
}
