//! What lists and status lines show of a session. Kept in a watch, so that a list never has to wait for a task.

use posthouse_protocol::Later;
use posthouse_protocol::payload::{Blocked, SessionInfo};
use serde_json::json;

use super::Task;
use super::phase::{Phase, Then};
use crate::harness::readiness::Readiness;
use crate::session::house::now_ms;
use crate::session::injection::sight::Gate;
use crate::session::live::Live;
use crate::session::restart::{BUDGET, Restarting};
use crate::session::spec::{Rest, SessionRecord};

/// A session before its task has said anything.
pub(super) fn blank(record: &SessionRecord) -> SessionInfo {
    let spec = &record.spec;
    let run = record.run.as_ref();
    let first = spec.route.as_ref().and_then(|route| route.mounts().first());
    SessionInfo {
        name: spec.name.clone(),
        state: "starting".to_owned(),
        pid: None,
        harness: run.map_or_else(|| spec.harness.clone(), |run| run.harness.clone()),
        mount: run
            .map(|run| run.mount_name())
            .or_else(|| first.map(ToString::to_string))
            .unwrap_or_else(|| spec.harness.clone()),
        route: spec.route.iter().flat_map(|route| route.mounts()).map(ToString::to_string).collect(),
        run: run.map(|run| run.id().to_string()),
        cwd: spec.cwd.to_string_lossy().into_owned(),
        task: spec.task.clone(),
        model: run
            .and_then(|run| run.mount.as_ref())
            .and_then(|mount| mount.model.clone())
            .or_else(|| spec.model.clone()),
        team: spec.team.clone(),
        spawned_by: spec.spawned_by.clone(),
        spawned_at: spec.spawned_at,
        run_started_at: run.map(|run| run.started_at),
        state_since: spec.spawned_at,
        conversation: run.and_then(|run| run.conversation.clone()),
        queued: 0,
        viewers: 0,
        drafting: false,
        blocked: None,
        until: None,
        exit: match &record.rest {
            Rest::Exited { how } | Rest::Restarting { how, .. } => Some(how.clone()),
            _ => None,
        },
        trouble: record.trouble.clone(),
        restarts: Later(record.restarting.shown(None)),
    }
}

/// What the run waits for.
fn blocked(live: &Live) -> Option<Blocked> {
    let Readiness::Blocked(block) = live.last_seen().readiness() else { return None };
    Some(Blocked {
        kind: block.kind,
        request_id: Some(block.request.to_string()),
        options: block.options,
        message: live.last_seen().last_report().and_then(|report| report.message.clone()),
    })
}

impl Task {
    /// Publishes what changed.
    pub(super) fn publish(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let state = self.new_state();
        let live = self.phase.live();
        let running = matches!(self.phase, Phase::Running(_));
        let info = SessionInfo {
            state: self.state().to_owned(),
            pid: live.filter(|live| live.exit.is_none()).map(|live| live.pid),
            state_since: self.since,
            queued: u32::try_from(self.injector.len()).unwrap_or(u32::MAX),
            viewers: u32::try_from(self.viewers.len()).unwrap_or(u32::MAX),
            drafting: running && self.sight.drafting,
            blocked: match &self.sight.gate {
                Gate::Blocked(_) if running => live.and_then(blocked),
                _ => None,
            },
            until: match &self.phase {
                Phase::Parked { parking, .. } => parking.until.map(|until| until.to_string()),
                _ => None,
            },
            restarts: Later(self.record.restarting.shown(match &self.phase {
                Phase::Restarting { at, .. } => Some(*at),
                _ => None,
            })),
            ..blank(&self.record)
        };
        self.info.send_replace(Some(info));
        // Told once lists have it.
        if let Some(state) = state {
            self.house.event("session.state", self.name(), &state);
        }
        if self.announced != self.record.trouble {
            self.announced.clone_from(&self.record.trouble);
            // The next daemon shows it as well.
            self.keep();
            self.house.event("session.trouble", self.name(), &json!({ "trouble": self.record.trouble }));
        }
    }

    /// Lets the house know of a run before its process exists: what runs there may say HELLO at once, and has to be known
    /// for the session's own.
    pub(super) fn announce_run(&mut self) {
        let SessionInfo { harness, mount, run, .. } = blank(&self.record);
        self.info.send_modify(|info| {
            if let Some(info) = info {
                (info.harness, info.mount, info.run) = (harness, mount, run);
            }
        });
    }

    /// What the event of a changed state says.
    fn new_state(&mut self) -> Option<serde_json::Value> {
        let state = self.state();
        let before = std::mem::replace(&mut self.shown, state);
        if before == state {
            return None;
        }
        self.since = now_ms();
        let mut data = json!({ "state": state });
        let mut add = |name: &str, value: serde_json::Value| {
            if let Some(data) = data.as_object_mut() {
                data.insert(name.to_owned(), value);
            }
        };
        if !before.is_empty() {
            add("before", json!(before));
        }
        if let Some(live) = self.phase.live() {
            add("mount", json!(live.record.mount_name()));
        }
        match (&self.phase, &self.sight.gate) {
            (Phase::Running(_), Gate::Blocked(what)) => add("blocked", json!(what)),
            (Phase::Parked { parking, .. }, _) => {
                add("until", json!(parking.until));
                add("why", json!(parking.trouble.message));
            }
            (Phase::Exited { how, .. }, _) => add("how", json!(how)),
            (Phase::Failed { why, .. }, _) => add("why", json!(why)),
            _ => {}
        }
        Some(data)
    }

    /// The session is gone: said before anyone is answered, so that its name is free for whoever asks next.
    pub(super) fn publish_gone(&self) {
        self.info.send_replace(None);
    }

    /// The state's word.
    pub(super) fn state(&self) -> &'static str {
        match &self.phase {
            Phase::Starting { .. } => "starting",
            Phase::Running(_) => match &self.sight.gate {
                Gate::Away(_) => "starting",
                Gate::Unknown => "running",
                Gate::Ready => "ready",
                Gate::Busy | Gate::Failing => "busy",
                Gate::Blocked(_) => "blocked",
            },
            Phase::Ending { then: Then::Release(_), .. } => "ending",
            Phase::Ending { .. } => "moving",
            Phase::Parked { .. } => "parked",
            Phase::Restarting { .. } => "restarting",
            Phase::Exited { .. } => "exited",
            Phase::Failed { .. } => "failed",
        }
    }

    /// What the status line of an attached terminal says, if there is anything to say.
    pub(super) fn notice(&self) -> Option<String> {
        let words = match &self.phase {
            Phase::Exited { how, .. } => Some(format!("{} ended: {how}", self.name())),
            Phase::Restarting { how, .. } => {
                let Restarting { attempts, .. } = self.record.restarting;
                Some(format!("{} ended: {how}; it is started again ({attempts} of {BUDGET})", self.name()))
            }
            Phase::Failed { why, .. } => Some(format!("{} failed: {why}", self.name())),
            _ => None,
        };
        words.or_else(|| {
            let trouble = self.record.trouble.as_ref()?;
            Some(match &trouble.repair {
                Some(repair) => format!("{} · repair: {repair}", trouble.message),
                None => trouble.message.clone(),
            })
        })
    }

    pub(super) fn tell_viewers(&mut self) {
        if !self.viewers.is_empty() {
            let (text, state) = (self.notice().unwrap_or_default(), self.state());
            self.viewers.notice(&text, state);
        }
    }
}
