//! A session that does one task: its harness is given the prompt on the command line, prints, and ends. What fails is
//! judged and moved as in any other session; what is said again after a move goes on the command line, too.

use serde_json::json;

use super::Task;
use crate::failover::command::Assignment;
use crate::holder::run::Exit;
use crate::session::brief::go_on;
use crate::session::carry::{Carried, carry};
use crate::session::handover;
use crate::session::luggage::Luggage;
use crate::session::spec::{Outcome, SessionRecord};
use crate::session::start::Beginning;

impl Task {
    /// How the next run begins: with the task, with what the last run left of it, or with a brief.
    pub(super) async fn begin_one_shot(&mut self, assignment: Option<&Assignment>) -> Beginning {
        let task = self.spec().task.clone();
        let SessionRecord { luggage, run, heard, spec, .. } = &mut self.record;
        let Some(left) = run.clone() else { return Beginning::New(task) };
        let luggage =
            luggage.get_or_insert_with(|| Luggage::pack(left, Vec::new(), "it was parked".to_owned(), ""));
        let worked = luggage.worked();
        let Some(left) = luggage.left.clone() else { return Beginning::New(task) };
        let resumed = left.resumed;
        // What the run was given, if nothing was begun of it: the task, a brief, or a word to go on.
        let again = luggage.untouched().next().map(|open| open.prompt.clone()).filter(|_| !worked);
        let harness = assignment.map_or(&spec.harness, |assignment| &assignment.mount.harness);
        let carried = match self.house.catalog.get(harness) {
            Ok(definition) => {
                let cut = again.as_ref().map(|prompt| prompt.sought.clone());
                carry(definition, left, assignment, cut).await
            }
            Err(error) => Carried::Nothing(error.to_string()),
        };
        match carried {
            Carried::Conversation(conversation) => {
                let say = again.map_or_else(|| go_on(&luggage.why), |prompt| prompt.text);
                Beginning::Resume { conversation, say: Some(say) }
            }
            Carried::Nothing(why) => {
                self.house.event("session.not_resumed", &spec.name, &json!({ "why": why }));
                // A word to go on means nothing to whoever does not know the conversation.
                match again.filter(|_| !resumed) {
                    Some(prompt) => Beginning::New(Some(prompt.text)),
                    None => Beginning::New(Some(handover::brief(&self.house, spec, heard, luggage).await)),
                }
            }
            Carried::Empty => Beginning::New(again.map(|prompt| prompt.text).or(task)),
        }
    }

    /// The harness has ended, and nothing follows from that: the task was done or was not.
    pub(super) fn note_outcome(&mut self, exit: Exit) {
        if !self.spec().one_shot {
            return;
        }
        let Some(live) = self.phase.live() else { return };
        let turn = &live.record.turn;
        let done = exit == Exit::Code(0) && !turn.is_failing() && !turn.is_decided();
        let answer = live.printed.as_ref().and_then(|printed| printed.answer().cloned());
        self.record.outcome = Some(Outcome {
            done,
            cut: answer.as_ref().is_some_and(|answer| answer.cut),
            answer: answer.map(|answer| answer.text),
        });
        if done {
            self.turn_done();
        }
    }
}
