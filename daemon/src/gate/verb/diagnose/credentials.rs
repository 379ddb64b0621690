//! Whether each login is where it was, the user's alone, and alive.

use std::path::Path;

use posthouse_protocol::payload::{Check, CredentialInfo};

use super::finding::Finding;
use super::place::{self, Mode};
use crate::harness::catalog::Catalog;
use crate::machine;

/// Looks at every credential.
pub(super) fn look(catalog: &Catalog, known: &[CredentialInfo], uid: u32) -> Vec<Check> {
    let look = |known: &CredentialInfo| {
        let name = format!("credential {}/{}", known.provider, known.alias);
        let moved = || elsewhere(known, machine::host().as_deref());
        home(catalog, known, uid).or_else(moved).unwrap_or_else(|| state(known)).of(name)
    };
    known.iter().map(look).collect()
}

/// What is wrong with its directory, or with the files in it that hold the login.
fn home(catalog: &Catalog, known: &CredentialInfo, uid: u32) -> Option<Finding> {
    let dir = Path::new(known.home.as_deref()?);
    if !dir.is_dir() {
        let fix = format!("posthouse credential add {} {} --home DIR", known.provider, known.alias);
        return Some(Finding::bad(format!("its directory {} is gone", dir.display()), Some(fix)));
    }
    let files = catalog
        .definitions()
        .filter(|definition| definition.provider.as_deref() == Some(known.provider.as_str()))
        .flat_map(|definition| &definition.credential.login_files)
        .map(|file| dir.join(file))
        .filter(|file| file.is_file())
        .map(|file| place::private(&file, uid, Mode::FILE));
    let mut wrong = files
        .chain([place::private(dir, uid, Mode::UNWRITABLE)])
        .filter(|finding| !matches!(finding, Finding::Good(_)));
    wrong.next()
}

/// A login that turned up on another machine: providers end those that are used from several.
fn elsewhere(known: &CredentialInfo, here: Option<&str>) -> Option<Finding> {
    let made_on = known.login.as_ref()?.host.as_deref()?;
    let here = here.filter(|here| *here != made_on)?;
    let detail = format!(
        "this login turned up on {made_on} and this is {here}: a provider may end a login that is used from another host"
    );
    Some(Finding::doubt(detail, known.repair.clone()))
}

fn state(known: &CredentialInfo) -> Finding {
    let why = known.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let until = known.until.as_deref().map(|until| format!(" until {until}")).unwrap_or_default();
    let detail = format!("{}{until}{why}", known.state);
    match known.state.as_str() {
        "needs_login" | "disabled" => Finding::bad(detail, known.repair.clone()),
        "cooling" => Finding::doubt(detail, known.repair.clone()),
        _ => Finding::Good(detail),
    }
}

#[cfg(test)]
mod tests {
    use posthouse_protocol::Later;
    use posthouse_protocol::payload::LoginInfo;

    use super::*;

    fn known(home: &Path, state: &str) -> CredentialInfo {
        CredentialInfo {
            provider: "openai".into(),
            alias: "work".into(),
            kind: "home".into(),
            home: Some(home.display().to_string()),
            base_url: None,
            state: state.into(),
            generation: 1,
            why: None,
            until: None,
            proven_at: None,
            sessions: vec![],
            repair: Some("codex login".into()),
            login: Default::default(),
            verified_by: Default::default(),
        }
    }

    #[test]
    fn a_login_that_is_gone_or_dead_fails() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let uid = nix::unistd::geteuid().as_raw();
        let catalog = Catalog::builtin().unwrap();
        let outcome = |home: &Path, state| look(&catalog, &[known(home, state)], uid).remove(0);
        assert_eq!(outcome(dir.path(), "valid").outcome, "ok");
        assert_eq!(outcome(dir.path(), "cooling").outcome, "warning");
        let dead = outcome(dir.path(), "needs_login");
        assert_eq!((dead.outcome.as_str(), dead.fix.as_deref()), ("failed", Some("codex login")));
        assert_eq!(outcome(&dir.path().join("none"), "valid").outcome, "failed");
        let login = dir.path().join("auth.json");
        std::fs::write(&login, "{}").unwrap();
        std::fs::set_permissions(&login, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(outcome(dir.path(), "valid").fix.unwrap(), format!("chmod 600 {}", login.display()));
    }

    #[test]
    fn a_login_from_another_machine_is_a_warning() {
        let login = LoginInfo { host: Some("laptop-7".into()), ..LoginInfo::default() };
        let known = CredentialInfo { login: Later(Some(login)), ..known(Path::new("/h"), "valid") };
        assert_eq!(elsewhere(&known, Some("laptop-7")), None);
        assert_eq!(elsewhere(&known, None), None);
        let found = elsewhere(&known, Some("pod-1"));
        assert!(matches!(found, Some(Finding::Doubt { detail, .. }) if detail.contains("laptop-7")));
    }
}
