//! Handing the run's key to the harness that asks for it. A harness asks when it starts, and again when its provider
//! refused what it was given: then another credential may take the place of the refused one, in the same run.

use posthouse_protocol::ErrorCode;
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::order::News;
use super::{Flow, Task};
use crate::failover::command::{FailoverCommand, Instruction, KeyAnswer, KeyRequest};
use crate::failover::route::Mount;
use crate::session::command::{Key, Reply, SessionError};
use crate::session::spec::RunRecord;

/// The key that a harness was given last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    run: Uuid,
    mount: Mount,
}

impl Task {
    /// The run of the moment, which may be about to start: its harness asks before anyone knows that it lives.
    fn asking_run(&mut self) -> Option<&mut RunRecord> {
        match self.phase.live_mut() {
            Some(live) => Some(&mut live.record),
            None => self.record.run.as_mut(),
        }
    }

    /// The run's agent asks for its key.
    pub(super) fn key_wanted(&mut self, reply: Reply<Key>) {
        let Some((run, mount, asks)) =
            self.asking_run().and_then(|run| Some((run.run, run.mount.clone()?, run.asks)))
        else {
            let why = format!("hand out a key: {} runs on no credential", self.name());
            let _ = reply.send(Err(SessionError::new(ErrorCode::BadCredential, why)));
            return;
        };
        let given = Given { run, mount: mount.clone() };
        // Only a harness that asks by itself asks again because of a refusal.
        let again = asks && self.given.as_ref() == Some(&given);
        self.given = Some(given);
        let (answer, answered) = oneshot::channel();
        let request = KeyRequest {
            session: self.name().to_owned(),
            route: self.spec().route.clone(),
            mount,
            run: run.to_string(),
            again,
        };
        let command = FailoverCommand::Key { request: Box::new(request), reply: answer };
        let (failover, desk) = (self.house.failover.commands.clone(), self.desk.clone());
        tokio::spawn(async move {
            let away = || KeyAnswer::none("hand out a key: failover does not answer");
            let answer = match failover.send(command).await {
                Ok(()) => answered.await.unwrap_or_else(|_| away()),
                Err(_) => away(),
            };
            let _ = desk.send(News::Keyed(run, answer, reply));
        });
    }

    /// Failover said which key it is. A new mount is noted before the harness can use it, so that what fails from then on
    /// is charged to it, whoever watches.
    pub(super) async fn keyed(&mut self, run: Uuid, answer: KeyAnswer, reply: Reply<Key>) -> Flow {
        let refuse = |why: String| Err(SessionError::new(ErrorCode::BadCredential, why));
        if self.asking_run().is_none_or(|now| now.run != run) {
            let _ = reply.send(refuse("hand out a key: the run that asked is over".to_owned()));
            return Flow::On;
        }
        let (key, now_on) = match answer {
            KeyAnswer::Same(key) => (key, None),
            KeyAnswer::Other { key, mount, trouble } => (key, Some((mount, trouble))),
            KeyAnswer::None { why, then } => {
                let _ = reply.send(refuse(why));
                return match then {
                    Some(instruction) => self.cannot_go_on(instruction).await,
                    None => Flow::On,
                };
            }
        };
        if let Some(run) = self.asking_run() {
            run.renewals = key.renewals;
        }
        if let Some((mount, trouble)) = now_on {
            self.given = Some(Given { run, mount: mount.clone() });
            let from = self.asking_run().and_then(|run| run.mount.replace(mount.clone()));
            self.record.trouble = Some(trouble);
            self.dirty = true;
            self.note_run();
            if let Err(why) = self.house.store_and_wait(&self.record).await {
                tracing::error!(session = self.name(), why, "the run's new credential was not noted");
            }
            let from = from.map(|mount| mount.to_string());
            let data = json!({ "from": from, "to": mount.to_string(), "resumed": true, "in_place": true });
            self.house.event("session.moved", self.name(), &data);
            self.tell_viewers();
        }
        let _ = reply.send(Ok(key));
        Flow::On
    }

    /// The harness asks in vain. What it is doing fails, whenever it comes to say so.
    async fn cannot_go_on(&mut self, instruction: Instruction) -> Flow {
        let Some(live) = self.phase.live_mut() else { return Flow::On };
        live.record.turn.failed();
        self.keep();
        self.instructed(instruction).await
    }
}
