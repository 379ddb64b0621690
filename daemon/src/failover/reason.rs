//! Why a decision was made, as data and as the one sentence that people read.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

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
            Outcome::Parked(until) => format!("nothing else is usable; parked until {}", local(*until, zone)),
            Outcome::Surfaced => "another credential would not help or none is left".to_owned(),
        };
        let repair = match &self.repair {
            Some(Repair::Run(command)) => format!(". To repair it run: {command}"),
            Some(Repair::Visit(url)) => format!(". To repair it see {url}"),
            None => String::new(),
        };
        format!("{what}{until}; {then}{repair}")
    }
}

/// A point in time as a person there reads it, with its zone.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Q").to_string()
}
