//! Why a decision was made, as data and as the one sentence that people read.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::credential::id::CredentialId;

use super::failure::{Class, Evidence};
use super::pool::Unusable;
use super::repair::Repair;
use super::route::Mount;

/// Why a decision was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The mount whose request failed.
    pub mount: Mount,
    /// The model that the failure is limited to, where one is named.
    pub model: Option<String>,
    /// What went wrong.
    pub class: Class,
    /// How strong the evidence is.
    pub evidence: Evidence,
    /// The rule that judged it.
    pub rule: String,
    /// Until when the mount stays out of use; `None` if nobody knows.
    pub until: Option<Timestamp>,
    /// What follows.
    pub outcome: Outcome,
    /// Credentials that failed the same way just before, so that their provider is held to be the cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<CredentialId>,
    /// The command that lets the session go on where it is billed by use, if there is such a mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// What a person can do about it.
    pub repair: Option<Repair>,
    /// The mounts that could not be used instead.
    pub skipped: Vec<(Mount, Unusable)>,
    /// All of this in one sentence, with absolute local times.
    pub sentence: String,
}

/// What follows, as far as the sentence needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The session stays, because nothing that may move it was seen.
    Stays(Stay),
    /// The session waits where it is.
    Waits(Timestamp),
    /// The session goes on with another mount.
    GoesOn(Mount),
    /// The session goes back to a mount that it prefers.
    GoesBack(Mount),
    /// The session sleeps until then.
    Parked(Timestamp),
    /// A person has to decide.
    Surfaced,
}

/// Why a session stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stay {
    /// The harness is still trying by itself.
    Retrying,
    /// Only words speak for a failure, and nothing bears them out yet.
    Uncorroborated,
    /// The failed request was made with a credential that the session has left already.
    AlreadyLeft,
    /// The turn was ended on purpose.
    AsAsked,
}

impl Reason {
    /// Writes the sentence.
    #[must_use]
    pub fn with_sentence(mut self, zone: &TimeZone) -> Self {
        self.sentence = self.write(zone);
        self
    }

    fn write(&self, zone: &TimeZone) -> String {
        let model = self.model.as_ref().filter(|_| self.mount.model.is_none());
        let model = model.map(|model| format!(" (model {model})")).unwrap_or_default();
        let what = format!("{}{model}: {}, {}", self.mount, self.class.phrase(), self.evidence.phrase());
        let shared = match self.shared.split_first() {
            None => String::new(),
            Some((first, rest)) => {
                let list = rest.iter().fold(first.to_string(), |list, id| format!("{list} and {id}"));
                let provider = self.mount.provider();
                format!(", as it did on {list} just before, so {provider} itself is taken to be out of order")
            }
        };
        let until = match (self.until, &self.outcome) {
            (Some(until), _) => format!(", until {}", local(until, zone)),
            (None, Outcome::GoesOn(_) | Outcome::Parked(_)) => ", until unknown".to_owned(),
            (None, _) => String::new(),
        };
        let then = match &self.outcome {
            Outcome::Stays(Stay::Retrying) => "the harness is still trying by itself".to_owned(),
            Outcome::Stays(Stay::Uncorroborated) => {
                "nothing else bears it out, so the session stays".to_owned()
            }
            Outcome::Stays(Stay::AlreadyLeft) => "the session has left it already".to_owned(),
            Outcome::Stays(Stay::AsAsked) => "nothing to do".to_owned(),
            Outcome::Waits(until) => format!("trying again there at {}", local(*until, zone)),
            Outcome::GoesOn(mount) => format!("going on with {mount}"),
            Outcome::GoesBack(mount) => format!("going back to {mount}"),
            Outcome::Parked(until) => format!("nothing else is usable; parked until {}", local(*until, zone)),
            Outcome::Surfaced if self.allow.is_some() => "nothing else is allowed and usable".to_owned(),
            Outcome::Surfaced => "another credential would not help or none is left".to_owned(),
        };
        let repair = match &self.repair {
            Some(Repair::Run(command)) => format!(". To repair it run: {command}"),
            Some(Repair::Visit(url)) => format!(". To repair it see {url}"),
            None => String::new(),
        };
        let costs = self.skipped.iter().find(|(_, why)| *why == Unusable::Costs).zip(self.allow.as_ref());
        let costs = match (costs, &self.outcome) {
            (Some(((mount, _), allow)), Outcome::Parked(_) | Outcome::Surfaced) => {
                format!(". {mount} is billed by use; to go on with it run: {allow}")
            }
            _ => String::new(),
        };
        format!("{what}{shared}{until}; {then}{costs}{repair}")
    }
}

/// A point in time as a person there reads it, with its zone.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Q").to_string()
}
