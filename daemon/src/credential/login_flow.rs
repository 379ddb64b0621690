//! LOGIN and LOGIN-ENDED: what a new login of a credential takes, and what became of it.
//!
//! The harness's own program logs in, in the home where the login is used, as a session that a person started and
//! watches: nothing here ever starts one. The room remembers how the login looked before, so that a program that ends
//! well and changed nothing is told from one that did.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use posthouse_protocol::payload::{CredentialResponse, CredentialSource};
use posthouse_protocol::{Json, provider};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::actor::Actor;
use super::command::CredentialError;
use super::id::CredentialId;
use super::login::Fingerprint;
use super::record::{Record, Source};
use super::request::read;
use crate::harness::definition::{Definition, Login};
use crate::harness::{home, version};

/// How long no device code is asked for after the provider said that there were too many requests.
const AFTER_TOO_MANY: SignedDuration = SignedDuration::from_mins(30);
/// The same after the provider broke.
const AFTER_TROUBLE: SignedDuration = SignedDuration::from_mins(2);
/// Name of a login where nobody gave one.
const UNNAMED: &str = "main";

/// A login that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What its files looked like.
    pub seen: Fingerprint,
    /// The credential's generation.
    pub generation: u64,
}

impl Actor {
    /// Registers the credential if it is new, and says which program is to be run.
    pub(super) async fn begin_login(
        &mut self,
        name: &str,
        dir: Option<String>,
        device: bool,
        actor: &str,
    ) -> Result<CredentialResponse, CredentialError> {
        let id = self.meant(name, dir.is_some())?;
        let bad = |why: String| CredentialError::bad(format!("log in to {id}: {why}"));
        let (definition, login) = self.logs_in(&id).ok_or_else(|| bad(self.no_program(&id)))?;
        let by_device = login.device.filter(|_| device);
        let otherwise = (device && by_device.is_none())
            .then(|| format!("{} has no login by a device code; its own login follows", definition.name));
        let (device, command) = (by_device.is_some(), by_device.unwrap_or(login.command));
        let program = command.first().cloned().unwrap_or_default();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
        if version::find(&program, &dirs).is_none() {
            return Err(bad(format!(
                "{program} is not in the daemon's PATH; install it, or start the daemon where it is"
            )));
        }
        if let Some(until) = self.deferred(id.provider(), Timestamp::now()).filter(|_| device) {
            return Err(bad(format!(
                "{} refused the last request for a device code; another one may be asked for at {until}",
                id.provider()
            )));
        }
        let home = self.place_of_use(&id, dir, &definition, actor).await?;
        writable(&home).map_err(|e| bad(format!("its home {} can't be written: {e}", home.display())))?;
        let seen = self.fingerprint(&id, &Source::Home { dir: home.clone() });
        let record = self.registry.change(&id, |record| {
            record.begun = Some(Begun { seen, generation: record.status.generation });
        });
        let Some(record) = record else { return Err(self.unknown(&id)) };
        self.keep(&record, "login_begun", "a person logs in", actor).await;
        let mut env = definition.environment.set.clone();
        if let Some(name) = &definition.credential.home_env {
            env.insert(name.clone(), home.display().to_string());
        }
        let more = json!({
            "session": format!("login-{}-{}", id.provider(), id.alias()),
            "command": command,
            "env": env,
            "pass": definition.environment.allow,
            "cwd": home,
            "device": device,
        });
        let mut answer = self.one(&id, otherwise)?;
        answer.more = Some(Json::from(more));
        Ok(answer)
    }

    /// The program ended: whether there is another login now. `said` is what it showed last.
    pub(super) async fn end_login(
        &mut self,
        name: &str,
        device: bool,
        failed: bool,
        said: &str,
        actor: &str,
    ) -> Result<CredentialResponse, CredentialError> {
        let id = read(name)?;
        let record = self.registry.get(&id).ok_or_else(|| self.unknown(&id))?;
        let begun = record.begun.clone();
        let begun =
            begun.ok_or_else(|| CredentialError::bad(format!("end the login of {id}: none was begun")))?;
        let changed = self.fingerprint(&id, &record.source) != begun.seen;
        self.look(&id).await;
        let now = Timestamp::now();
        let wait = pause_after(said).filter(|_| device && failed && !changed);
        let record = self.registry.change(&id, |record| {
            record.begun = None;
            if changed {
                record.device_after = None;
            } else if let Some(until) = wait.and_then(|wait| now.checked_add(wait).ok()) {
                record.device_after = Some(until);
            }
            if changed && record.status.generation == begun.generation {
                record.renew();
            }
        });
        let Some(record) = record else { return Err(self.unknown(&id)) };
        let generation = record.status.generation;
        let message = if changed {
            format!("{id}: there is a new login (generation {generation})")
        } else {
            format!(
                "{id}: the login finished but the stored credential did not change (still generation {generation}); nothing was replaced"
            )
        };
        let message = match record.device_after.filter(|_| wait.is_some()) {
            Some(until) => format!(
                "{message}; {} refused: another device code may be asked for at {until}",
                id.provider()
            ),
            None => message,
        };
        self.keep(&record, "login_ended", &message, actor).await;
        let mut answer = self.one(&id, Some(message))?;
        answer.more = Some(Json::from(json!({ "changed": changed })));
        Ok(answer)
    }

    /// Which credential a person means by the name of one, or of a provider or harness. With a home of its own it may be
    /// a new one.
    fn meant(&self, name: &str, new: bool) -> Result<CredentialId, CredentialError> {
        if name.contains('/') {
            return read(name);
        }
        let provider = provider::canonical(name);
        let is_home = |record: &&Record| matches!(record.source, Source::Home { .. });
        let of_provider = self.registry.records().filter(is_home).filter(|r| r.id.provider() == provider);
        let homes: Vec<&CredentialId> = of_provider.map(|record| &record.id).collect();
        match homes.as_slice() {
            [one] if !new => Ok((*one).clone()),
            [] => CredentialId::new(&provider, UNNAMED).map_err(|e| CredentialError::bad(e.to_string())),
            several => {
                let names = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                Err(CredentialError::bad(format!(
                    "log in to {provider}: say which one with --name; there are {names}"
                )))
            }
        }
    }

    /// The harness whose login program makes logins of this provider, and that program.
    pub(super) fn logs_in(&self, id: &CredentialId) -> Option<(Arc<Definition>, Login)> {
        self.harnesses(id).find_map(|definition| Some((Arc::clone(definition), definition.login.clone()?)))
    }

    fn no_program(&self, id: &CredentialId) -> String {
        let with = self.catalog.definitions().filter(|definition| definition.login.is_some());
        let mut names: Vec<String> =
            with.filter_map(|d| Some(format!("{} ({})", d.provider.as_deref()?, d.name))).collect();
        names.sort();
        format!("no harness is known that logs in to {}; there are {}", id.provider(), names.join(", "))
    }

    /// The home where it is used: of a new one the given directory, else a fresh one of Posthouse's own.
    async fn place_of_use(
        &mut self,
        id: &CredentialId,
        dir: Option<String>,
        definition: &Definition,
        actor: &str,
    ) -> Result<PathBuf, CredentialError> {
        let bad = |why: String| CredentialError::bad(format!("log in to {id}: {why}"));
        if let Some(record) = self.registry.get(id) {
            return match &record.source {
                Source::Home { dir: own } if dir.as_deref().is_none_or(|dir| Path::new(dir) == own) => {
                    Ok(own.clone())
                }
                Source::Home { dir: own } => Err(bad(format!("its home is {}", own.display()))),
                Source::Key => Err(bad(format!(
                    "it is a key; store a new one with: posthouse login {} --name {} --from-stdin",
                    id.provider(),
                    id.alias()
                ))),
            };
        }
        let home = match dir {
            // Before anything is made there.
            Some(dir) if !Path::new(&dir).is_absolute() => {
                return Err(bad(format!("{dir} is not an absolute path")));
            }
            Some(dir) => PathBuf::from(dir),
            None => self.vault.login_home(id),
        };
        home::seed(definition, &home, None).map_err(|e| bad(e.to_string()))?;
        let source = CredentialSource::Home { dir: home.display().to_string() };
        self.add(id.clone(), source, None, actor).await?;
        match self.registry.get(id).map(|record| &record.source) {
            Some(Source::Home { dir }) => Ok(dir.clone()),
            _ => Err(self.unknown(id)),
        }
    }

    /// Until when the provider wants to be asked for no device code.
    fn deferred(&self, provider: &str, now: Timestamp) -> Option<Timestamp> {
        let of_provider = self.registry.records().filter(|record| record.id.provider() == provider);
        of_provider.filter_map(|record| record.device_after).filter(|until| *until > now).max()
    }
}

/// How long to leave a provider alone that refused a device code in these words; `None` if it did not.
fn pause_after(said: &str) -> Option<SignedDuration> {
    let mut numbers = said.split(|c: char| !c.is_ascii_alphanumeric());
    let lower = said.to_ascii_lowercase();
    if lower.contains("too many requests") || numbers.clone().any(|word| word == "429") {
        return Some(AFTER_TOO_MANY);
    }
    numbers.any(|word| matches!(word, "500" | "502" | "503" | "504")).then_some(AFTER_TROUBLE)
}

fn writable(home: &Path) -> Result<(), nix::Error> {
    nix::unistd::access(home, nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_device_code_is_not_asked_for_again_at_once() {
        let minutes = |said| pause_after(said).map(|pause| pause.as_mins());
        assert_eq!(minutes("device code request failed with status 429 Too Many Requests"), Some(30));
        assert_eq!(minutes("Error: too many requests"), Some(30));
        assert_eq!(minutes("failed: 503 Service Unavailable"), Some(2));
        assert_eq!(minutes("^C cancelled; open http://127.0.0.1:14290/x"), None);
    }
}
