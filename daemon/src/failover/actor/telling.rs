//! What the actor says about decisions: to people, to sessions, and in events.

use jiff::Timestamp;
use posthouse_protocol::Json;
use posthouse_protocol::payload::{MountInfo, RouteExplainResponse, Trouble};
use serde_json::{Value, json};

use super::{Actor, wait};
use crate::failover::command::Parking;
use crate::failover::decide::Move;
use crate::failover::failure::{Class, Verdict};
use crate::failover::ledger::{Scene, Told};
use crate::failover::pool::{Attempts, Pool, Seeker, Unusable};
use crate::failover::repair::Repair;
use crate::failover::route::{Mount, Route};
use crate::failover::stagger::stagger;

impl Actor {
    pub(super) async fn explain(
        &self,
        session: &str,
        route: Option<&Route>,
        mount: Option<&Mount>,
        failure: Option<&str>,
    ) -> RouteExplainResponse {
        let told = self.ledger.last(session);
        let mut answer = RouteExplainResponse {
            name: session.to_owned(),
            mounts: Vec::new(),
            trouble: told.map(|told| self.trouble(told)),
            decision: told.map(|told| Json::from(words(told))),
            lines: told.map(|told| told.decision.reason.sentence.clone()).into_iter().collect(),
        };
        answer.lines.extend(self.ledger.back(session).map(str::to_owned));
        let Some(route) = route else {
            answer
                .lines
                .push("the session has no route: it runs on whatever login its harness finds".to_owned());
            return answer;
        };
        let route = &self.current(route);
        let pool = self.pool().await;
        let now = self.clock.now();
        answer.mounts = route
            .mounts()
            .iter()
            .map(|listed| self.explain_mount(session, route, listed, mount, &pool))
            .collect();
        if let Some(word) = failure {
            let class = serde_json::from_value::<Class>(Value::String(word.to_owned()));
            match (class, mount) {
                (Ok(class), Some(mount)) => {
                    let scene = Scene { session, route, mount, now, zone: &self.zone };
                    let decision = self.ledger.suppose(scene, class, &pool);
                    answer.lines.push(format!("supposing {word}: {}", decision.reason.sentence));
                    answer.decision = Some(Json::of(&decision));
                }
                (Err(_), _) => answer.lines.push(format!("{word} is not a failure class")),
                (_, None) => {
                    answer.lines.push("the session does not run now, so nothing can fail".to_owned())
                }
            }
        }
        answer
    }

    fn explain_mount(
        &self,
        session: &str,
        route: &Route,
        listed: &Mount,
        current: Option<&Mount>,
        pool: &Pool,
    ) -> MountInfo {
        let attempts = Attempts::default();
        let seeker = Seeker { session, route, attempts: &attempts, now: self.clock.now() };
        let checked = pool.check(listed, seeker);
        let until = checked.as_ref().err().and_then(Unusable::reopens_at).map(|until| until.to_string());
        let reason = match &checked {
            Ok(()) => "usable".to_owned(),
            Err(why) => why.words(),
        };
        MountInfo {
            mount: listed.to_string(),
            current: current == Some(listed),
            usable: checked.is_ok(),
            reason,
            until,
        }
    }

    pub(super) fn parking(&self, session: &str, obstacles: &[(Mount, Unusable)], now: Timestamp) -> Parking {
        let until = obstacles.iter().filter_map(|(_, why)| why.reopens_at()).min();
        let list: Vec<String> =
            obstacles.iter().map(|(mount, why)| format!("{mount}: {}", why.words())).collect();
        let message = format!("no mount of the route is usable: {}", list.join("; "));
        let last = self.ledger.last(session).map(|told| self.trouble(told));
        let trouble = Trouble {
            message,
            until: until.map(|until| until.to_string()),
            at: millis(now),
            ..last.unwrap_or(Trouble {
                class: Class::Unknown.as_str().to_owned(),
                credential: None,
                message: String::new(),
                until: None,
                repair: None,
                evidence: None,
                at: 0,
            })
        };
        Parking { until, wait: until.map(|until| stagger(session, wait(until, now))), trouble }
    }

    pub(super) fn trouble(&self, told: &Told) -> Trouble {
        let reason = &told.decision.reason;
        Trouble {
            class: reason.class.as_str().to_owned(),
            credential: Some(reason.mount.credential.to_string()),
            message: reason.sentence.clone(),
            until: reason.until.map(|until| until.to_string()),
            repair: reason.repair.as_ref().map(|repair| repair.as_str().to_owned()),
            evidence: Some(reason.evidence.as_str().to_owned()),
            at: millis(told.at),
        }
    }
}

/// A decision as its event says it.
pub(super) fn words(told: &Told) -> Value {
    let decision = &told.decision;
    let (word, to) = match &decision.action {
        Move::Nothing => ("none", None),
        Move::Wait { .. } => ("wait", None),
        Move::Rotate { to } => ("rotate", Some(to)),
        Move::NextMount { to } => ("next_mount", Some(to)),
        Move::Park { .. } => ("park", None),
        Move::Surface => ("surface", None),
    };
    json!({
        "message": decision.reason.sentence,
        "move": word,
        "to": to.map(ToString::to_string),
        "class": told.failure.class.as_str(),
        "action": told.failure.action,
        "evidence": told.failure.evidence.as_str(),
        "corroborated": told.failure.corroborated,
        "rule": told.failure.rule,
        "until": decision.reason.until,
        "repair": decision.reason.repair.as_ref().map(Repair::as_str),
        "charge": decision.charge,
    })
}

pub(super) fn harmless(verdict: &Verdict) -> Value {
    let why = match verdict {
        Verdict::NotAFailure(why) => json!(why),
        Verdict::Failure(_) => Value::Null,
    };
    json!({"message": "no failure was seen", "move": "none", "because": why})
}

pub(super) fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}
