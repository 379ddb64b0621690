//! From an observation to a failure or none: a pure function over rules that are data.
//!
//! Typed codes are asked first, then sentences, then families of codes, then the bare status. Who speaks
//! bounds how strong the evidence is, and what may move a session at all.

mod block;
mod body;
mod frame;
mod literal;
mod osc;
mod peel;
mod rules;
mod signal;
mod terminal;
pub(crate) mod text;
mod warm;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::failure::{Action, Class, Evidence, FailoverWhen, Failure, Harmless, Scope, Verdict};
use super::observation::{AuthKind, Channel, Endpoint, Observation};
use super::reset::{self, Clock, Sources};
use rules::{Conclusion, RULES, Says};
use signal::{Reading, Signal, Voice};
pub use warm::warm;

/// A throttle that lasts longer is a used-up window, whatever it calls itself.
pub const HORIZON: SignedDuration = SignedDuration::from_secs(300);

/// Judges one observation. `now` stands in where the observation has no time, `zone` where it has no zone.
#[must_use]
pub fn classify(seen: &Observation, now: Timestamp, zone: &TimeZone) -> Verdict {
    if seen.endpoint == Some(Endpoint::Side) {
        return Verdict::NotAFailure(Harmless::SideEndpoint);
    }
    let own_zone = seen.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
    let clock = Clock {
        seen: seen.observed_at.unwrap_or(now),
        zone: own_zone.unwrap_or_else(|| zone.clone()),
        live: seen.observed_at.is_some(),
    };
    Judge { seen, clock }.verdict()
}

struct Judge<'a> {
    seen: &'a Observation,
    clock: Clock,
}

impl Judge<'_> {
    fn verdict(&self) -> Verdict {
        let signal = self.signal();
        let raw = self.seen.body.as_str();
        let harness = self.seen.harness.as_str();
        match self.seen.channel {
            Channel::Http | Channel::Sse | Channel::Ws | Channel::Probe => {
                self.judge(body::read(raw, signal))
            }
            Channel::Jsonl | Channel::AppServer | Channel::Acp => match frame::read(harness, raw, &signal) {
                Some(reading) => self.judge(undress(reading)),
                None => self.terminal(&signal),
            },
            Channel::Osc => self.judge(undress(osc::read(harness, raw, signal))),
            Channel::Terminal => self.terminal(&signal),
            Channel::Exit => self.exit(signal),
        }
    }

    /// What is known before anything is read.
    fn signal(&self) -> Signal {
        let seen = self.seen;
        let mut signal = Signal {
            status: seen.status,
            headers: seen.headers.clone(),
            endpoint: seen.endpoint,
            provider: seen.provider(),
            ..Signal::default()
        };
        if seen.channel.is_response() {
            signal.voice = Voice::Response;
            signal.endpoint = signal.endpoint.or(Some(Endpoint::Inference));
        }
        for code in &seen.codes {
            signal.code(code);
        }
        signal
    }

    /// The last message on a terminal that any rule knows.
    fn terminal(&self, signal: &Signal) -> Verdict {
        let known = |reading: &Reading| match reading {
            Reading::Failed(signal) | Reading::Progress(signal) => self.conclude(signal).is_some(),
            Reading::Harmless(_) => false,
        };
        let last = terminal::last(&self.seen.harness, &self.seen.body, signal, known);
        match last {
            Some(reading) => self.judge(reading),
            None if self.seen.channel == Channel::Exit => self.judge(Reading::Failed(signal.clone())),
            None if self.seen.corroboration.login_screen => self.judge(Reading::Failed(login_screen(signal))),
            None => self.gemini_exit(signal.clone()).unwrap_or(Verdict::NotAFailure(Harmless::NoMatch)),
        }
    }

    /// The end of a process: what it printed last, else its code.
    fn exit(&self, signal: Signal) -> Verdict {
        match self.seen.exit {
            None | Some(0) => Verdict::NotAFailure(Harmless::NoMatch),
            Some(_) => match self.terminal(&signal) {
                Verdict::Failure(Failure { class: Class::Unknown, .. }) => {
                    let coded = self.gemini_exit(signal.clone());
                    coded.unwrap_or_else(|| self.judge(Reading::Failed(signal)))
                }
                known => known,
            },
        }
    }

    /// Gemini's exit codes are typed.
    fn gemini_exit(&self, mut signal: Signal) -> Option<Verdict> {
        let code = self.seen.exit.filter(|_| self.seen.harness == "gemini")?;
        frame::gemini_exit(code, &mut signal);
        self.conclude(&signal)?;
        Some(self.judge(Reading::Failed(signal)))
    }

    fn judge(&self, reading: Reading) -> Verdict {
        match reading {
            Reading::Harmless(why) => Verdict::NotAFailure(why),
            Reading::Failed(signal) => self.failure(&signal, false),
            Reading::Progress(signal) => self.failure(&signal, true),
        }
    }

    fn failure(&self, signal: &Signal, progress: bool) -> Verdict {
        if signal.endpoint == Some(Endpoint::Side) {
            return Verdict::NotAFailure(Harmless::SideEndpoint);
        }
        let concluded = self.conclude(signal);
        if concluded.is_none() && signal.voice == Voice::Aside {
            return Verdict::NotAFailure(Harmless::Content);
        }
        let Some(concluded) =
            concluded.map_or_else(|| Some(unknown(signal)), |(said, evidence)| known(said, evidence))
        else {
            return Verdict::NotAFailure(Harmless::Notice);
        };
        let mut failure = self.weigh(signal, concluded);
        let soon = failure.until.is_none_or(|until| until.duration_since(self.clock.seen) <= HORIZON);
        if progress && soon {
            failure.action = Action::Wait;
            failure.failover = FailoverWhen::Never;
            failure.corroborated = false;
            if signal.reconnecting && !matches!(failure.class, Class::RateLimit | Class::Overloaded) {
                failure.class = Class::Network;
                failure.scope = Class::Network.default_scope();
            }
        }
        Verdict::Failure(failure)
    }

    /// The first rule that fits, with the evidence it stands on here.
    fn conclude(&self, signal: &Signal) -> Option<(Conclusion, Evidence)> {
        let squashed = text::squash(&signal.text);
        let family = RULES.by_generic_code(signal, &squashed);
        let strict = matches!(signal.voice, Voice::Line | Voice::Aside);
        if !strict && let Some(decided) = RULES.by_decisive_code(signal, &squashed) {
            let evidence = decided.evidence;
            return Some((decided, self.bounded(evidence, signal)));
        }
        let by_text =
            if strict { RULES.by_line(signal, &squashed) } else { RULES.by_text(signal, &squashed) };
        if let Some(said) = by_text {
            let same_family = family.as_ref().is_some_and(|family| kin(family.says, said.says));
            let evidence = if signal.voice == Voice::Response && signal.status.is_some() {
                Evidence::Status
            } else if same_family {
                Evidence::Typed
            } else if signal.status.is_some() && !signal.headers.is_empty() {
                Evidence::Status
            } else {
                said.evidence
            };
            return Some((said, self.bounded(evidence, signal)));
        }
        if strict {
            return None;
        }
        if let Some(family) = family {
            let evidence = family.evidence;
            return Some((family, self.bounded(evidence, signal)));
        }
        let by_status = RULES.by_status(signal, self.seen.auth)?;
        let seen_whole = signal.voice == Voice::Response || !signal.headers.is_empty();
        let evidence = if seen_whole { by_status.evidence } else { Evidence::Frame };
        Some((by_status, self.bounded(evidence, signal)))
    }

    /// Nothing on a terminal is more than terminal text.
    fn bounded(&self, evidence: Evidence, signal: &Signal) -> Evidence {
        match signal.voice {
            Voice::Line | Voice::DressedLine => evidence.min(Evidence::Terminal),
            Voice::Aside => evidence.min(Evidence::Frame),
            Voice::Response | Voice::FinalFrame | Voice::Frame => evidence,
        }
    }

    fn weigh(&self, signal: &Signal, known: Known) -> Failure {
        let Known { concluded, mut class, evidence } = known;
        let plausible = self.plausible(class, signal);
        let overruled = plausible != class;
        class = plausible;
        let until = self.until(class, signal);
        let far = until.is_some_and(|until| until.duration_since(self.clock.seen) > HORIZON);
        let lengthened = class == Class::RateLimit && far;
        if lengthened {
            class = Class::QuotaReset;
        }
        let own = !overruled && !lengthened;
        let action = concluded.action.filter(|_| own).unwrap_or_else(|| class.default_action());
        let model = concluded.model.or_else(|| signal.model.clone());
        let per_model =
            matches!(class, Class::QuotaReset | Class::RateLimit | Class::Overloaded) && model.is_some();
        let scope = concluded.scope.filter(|_| !overruled).or_else(|| class.default_scope());
        let scope = if per_model { Some(Scope::Model) } else { scope };
        let model = model.or_else(|| self.seen.model.clone()).filter(|_| scope == Some(Scope::Model));
        Failure {
            class,
            action,
            failover: if class == Class::Unknown { FailoverWhen::Never } else { action.failover() },
            scope,
            model,
            until,
            evidence,
            corroborated: self.corroborated(class, evidence, signal.voice),
            rule: concluded.rule,
        }
    }

    /// What the endpoint, the status and the kind of secret make of a class.
    fn plausible(&self, class: Class, signal: &Signal) -> Class {
        let status = signal.status.unwrap_or(0);
        // A refusal that says when to come back, or that nothing is left, is a throttle.
        if class == Class::AuthAmbiguous
            && status == 403
            && signal.codes.iter().any(|code| code == "throttled")
        {
            return Class::RateLimit;
        }
        match signal.endpoint {
            Some(Endpoint::Token) if class.is_auth() && matches!(status, 404 | 429 | 500..) => {
                // Trouble at the token endpoint never proves that a token is dead.
                if status == 429 { Class::RateLimit } else { Class::ServerError }
            }
            Some(Endpoint::Token)
                if matches!(status, 401 | 403)
                    && matches!(
                        class,
                        Class::ExpiredRefreshable | Class::AuthAmbiguous | Class::TokenRevoked
                    ) =>
            {
                Class::ReloginRequired
            }
            _ if class.is_auth() && status >= 500 => Class::ServerError,
            // Whoever answers with a status was reached.
            _ if class == Class::Network && status >= 500 && signal.voice == Voice::Response => {
                Class::ServerError
            }
            _ if class == Class::AuthAmbiguous
                && status == 401
                && self.seen.auth == Some(AuthKind::ApiKey) =>
            {
                Class::InvalidKey
            }
            _ => class,
        }
    }

    fn until(&self, class: Class, signal: &Signal) -> Option<Timestamp> {
        if !matches!(class, Class::QuotaReset | Class::RateLimit | Class::Overloaded | Class::ServerError) {
            return None;
        }
        let squashed = text::squash(&signal.text);
        let google_day = signal.codes.iter().any(|code| code == "quotaperday")
            || (signal.provider.as_deref() == Some("google")
                && ["dailyquota", "perday"].iter().any(|word| squashed.contains(word)));
        let sources = Sources {
            hints: &signal.resets,
            headers: &signal.headers,
            text: signal.dressed.as_deref().unwrap_or(&signal.text),
            daily_pacific: google_day,
        };
        reset::resolve(sources, &self.clock)
    }

    fn corroborated(&self, class: Class, evidence: Evidence, voice: Voice) -> bool {
        let mut others = self.seen.corroboration;
        // A status OSC does not bear itself out.
        others.osc_error &= self.seen.channel != Channel::Osc;
        let borne_out = others.any();
        match evidence {
            _ if class == Class::Unknown => false,
            Evidence::None => false,
            Evidence::Terminal => borne_out,
            Evidence::Frame | Evidence::Status | Evidence::Typed => voice != Voice::Frame || borne_out,
        }
    }
}

/// A harness that was started on a credential and asks for a login says that the credential is none.
fn login_screen(signal: &Signal) -> Signal {
    let mut said = signal.clone();
    said.voice = Voice::DressedLine;
    said.code("login_required");
    said
}

/// A conclusion that is a failure.
struct Known {
    concluded: Conclusion,
    class: Class,
    evidence: Evidence,
}

fn known(concluded: Conclusion, evidence: Evidence) -> Option<Known> {
    match concluded.says {
        Says::Class(class) => Some(Known { class, evidence, concluded }),
        Says::NotAFailure => None,
    }
}

/// A failure that no rule knows; it never moves anything.
fn unknown(signal: &Signal) -> Known {
    let evidence = match signal.voice {
        Voice::Response if signal.status.is_some() => Evidence::Status,
        Voice::Response | Voice::FinalFrame | Voice::Frame | Voice::Aside => Evidence::Frame,
        Voice::Line | Voice::DressedLine => Evidence::Terminal,
    };
    let concluded = Conclusion {
        rule: "none".to_owned(),
        says: Says::Class(Class::Unknown),
        action: None,
        scope: None,
        evidence,
        model: None,
    };
    Known { concluded, class: Class::Unknown, evidence }
}

/// Whether a family of codes bears a sentence out.
fn kin(family: Says, said: Says) -> bool {
    let group = |says: Says| match says {
        Says::Class(Class::QuotaReset | Class::RateLimit | Class::Billing) => 1,
        Says::Class(Class::Overloaded | Class::ServerError | Class::Network) => 2,
        Says::Class(class) if class.is_auth() || class == Class::AccountDisabled => 3,
        _ => 0,
    };
    group(family) != 0 && group(family) == group(said)
}

/// Takes the message of a frame out of its dress.
fn undress(reading: Reading) -> Reading {
    let peel_off = |mut signal: Signal| {
        let peeled = peel::peel(&signal.text);
        signal.dressed = Some(text::one_line(&signal.text));
        signal.text.clone_from(&peeled.inner);
        let progress = peeled.progress;
        peeled.put(&mut signal);
        (signal, progress)
    };
    match reading {
        Reading::Harmless(why) => Reading::Harmless(why),
        Reading::Progress(signal) => Reading::Progress(peel_off(signal).0),
        Reading::Failed(signal) => match peel_off(signal) {
            (signal, true) => Reading::Progress(signal),
            (signal, false) => Reading::Failed(signal),
        },
    }
}

#[cfg(test)]
mod named;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
