//! A session that does one task: its harness is given the prompt on the command line, prints, and ends. What fails is
//! judged and moved as in any other session; what is said again after a move goes on the command line, too.

use super::Task;
use crate::failover::command::Assignment;
use crate::harness::launch::Presentation;
use crate::holder::run::Exit;
use crate::session::brief::{Handover, go_on};
use crate::session::carry::{Carried, carry};
use crate::session::exchange;
use crate::session::luggage::Luggage;
use crate::session::spec::{Outcome, SessionRecord};
use crate::session::start::Beginning;
use crate::session::tree;

impl Task {
    /// How the next run begins: with the task, with what the last run left of it, or with a brief.
    pub(super) async fn begin_one_shot(&mut self, assignment: Option<&Assignment>) -> Beginning {
        let task = self.spec().task.clone();
        let SessionRecord { luggage, run, heard, spec, .. } = &mut self.record;
        let Some(left) = run.clone() else { return Beginning::New(task) };
        let luggage =
            luggage.get_or_insert_with(|| Luggage::pack(left, Vec::new(), "it was parked".to_owned(), ""));
        let worked = luggage.worked();
        // All of it is said here; nothing can be typed later.
        let open = std::mem::take(&mut luggage.open);
        luggage.unsure = false;
        let Some(left) = luggage.left.clone() else { return Beginning::New(task) };
        let again = open.into_iter().next().map(|open| open.prompt);
        let harness = assignment.map_or(&spec.harness, |assignment| &assignment.mount.harness);
        let carried = match self.house.catalog.get(harness) {
            Ok(definition) => {
                let presentation =
                    assignment.map_or(Presentation::Ambient, |assignment| assignment.presentation.clone());
                let cut = again.as_ref().filter(|_| !worked).map(|prompt| prompt.sought.clone());
                carry(definition, left.clone(), presentation, cut).await
            }
            Err(error) => Carried::Nothing(error.to_string()),
        };
        match carried {
            Carried::Conversation(conversation) => {
                let say = match again {
                    Some(prompt) if !worked => prompt.text,
                    _ => go_on(&luggage.why),
                };
                Beginning::Resume { conversation, say: Some(say) }
            }
            Carried::Nothing(_) if worked => {
                let tree = tree::state(&spec.cwd).await;
                let said = exchange::last_said(&self.house.catalog, Some(&left)).await;
                let handover = Handover {
                    session: &spec.name,
                    from: &luggage.from,
                    why: &luggage.why,
                    cwd: &spec.cwd,
                    task: task.as_deref(),
                    heard,
                    said: &said,
                    screen: "",
                    tree: &tree,
                    idle: false,
                };
                Beginning::New(Some(handover.brief()))
            }
            Carried::Nothing(_) | Carried::Empty => Beginning::New(task),
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
