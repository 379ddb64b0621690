//! Carrying out what the injector decided, and telling it what came of that.

use std::time::{Duration, Instant};

use posthouse_protocol::ReceiptState;
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::order::News;
use super::phase::Phase;
use super::{Flow, Task};
use crate::fail_point::{self, Point};
use crate::harness::transcript::Event;
use crate::holder::run::RunId;
use crate::holder::script::{OperationId, Report, State};
use crate::post::command::{Earlier, Injection, Intent, PostCommand, Progress, Step};
use crate::session::conversation::Said;
use crate::session::house::now_ms;
use crate::session::injection::injector::{Effect, News as Told};
use crate::session::injection::prompt::{Prompt, Source};
use crate::session::injection::sight::Gate;
use crate::session::reading;

impl Task {
    /// Post hands over a message.
    pub(super) async fn take(&mut self, injection: Injection) -> Flow {
        let now = Instant::now();
        let deadline = injection.deadline.map(|at| now + Duration::from_millis(at.saturating_sub(now_ms())));
        let prompt = Prompt::of_message(&injection, &self.house.marks, deadline);
        let effects = match injection.earlier.as_ref().filter(|earlier| self.left_untouched(&prompt, earlier))
        {
            Some(earlier) => {
                let begun = Prompt { attempt: earlier.attempt, ..prompt };
                self.injector.offer(begun.again(false), None, now)
            }
            None => self.injector.offer(prompt, injection.earlier.as_ref(), now),
        };
        self.carry_out(effects).await;
        Flow::On
    }

    /// Whether a message was on its way into the run that the session moved away from, and nothing was done for it there.
    fn left_untouched(&self, prompt: &Prompt, earlier: &Earlier) -> bool {
        self.record.departed.is_some_and(|departed| {
            departed.message == prompt.id
                && !departed.worked
                && earlier.run.parse() == Ok(RunId::new(departed.run))
        })
    }

    /// Does what the injector wants.
    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>) {
        self.dirty |= !effects.is_empty();
        for effect in effects {
            match effect {
                Effect::Note(prompt) => self.note(prompt).await,
                Effect::Tell { prompt, source, attempt, news } => {
                    self.tell(prompt, source, attempt, news).await
                }
                Effect::Write { operation, steps } => {
                    fail_point::at(Point::SessionWrite).await;
                    let Some(live) = self.phase.live_mut() else { continue };
                    live.writes();
                    if let Err(error) = live.link.write_soon(operation, steps) {
                        tracing::debug!(%error, "a script was not sent");
                        let report =
                            Report { operation, steps_done: 0, partial_bytes: 0, state: State::Full };
                        let _ = self.desk.send(News::Reported(report));
                    }
                }
                Effect::Cancel(operation) => self.ask_holder(operation, true),
                Effect::Ask(operation) => self.ask_holder(operation, false),
                Effect::Submitted(prompt) => self.submitted(prompt),
            }
        }
    }

    /// Enter was applied: what the house itself had to say is said.
    fn submitted(&mut self, prompt: Prompt) {
        if prompt.source != Source::House {
            self.record.heard.add(&prompt);
        }
        self.record.owed.retain(|owed| owed.id != prompt.id);
        // Whoever goes on after a failure has seen it.
        self.record.stuck = false;
        let typed = self.injector.typed().map(std::borrow::Cow::into_owned);
        if let Some(live) = self.phase.live_mut() {
            live.last_typed = typed;
            if live.remembers(&prompt) {
                let recorded = Event::UserMessage { text: prompt.sought.clone() };
                let said = Said { events: vec![recorded], is_history: false };
                let _ = self.desk.send(News::Said(live.record.run, said));
            }
            live.submitted(prompt);
        }
        self.keep();
    }

    /// A receipt, or a prompt that nobody waits for, has ended.
    fn ended_for(&mut self, prompt: Uuid) {
        let before = self.record.owed.len();
        self.record.owed.retain(|owed| owed.id != prompt);
        let under_way =
            self.record.luggage.as_mut().and_then(|luggage| luggage.under_way.take_if(|id| *id == prompt));
        if under_way.is_some() || self.record.owed.len() < before {
            self.keep();
        }
    }

    /// The note of a message goes to the journal by way of post; the house's own prompts are in the session's record.
    async fn note(&mut self, prompt: Prompt) {
        fail_point::at(Point::SessionNote).await;
        let Some(live) = self.phase.live() else { return };
        let run = live.record.id().to_string();
        let desk = self.desk.clone();
        match prompt.source {
            // For a message whose receipt has ended, post notes that it is submitted once more.
            Source::Message | Source::Resubmission => {
                let (done, noted) = oneshot::channel();
                let step = Step::Writing { run, attempt: prompt.attempt, done: Intent(Some(done)) };
                self.progress(prompt.id, step).await;
                tokio::spawn(async move {
                    let outcome = noted.await.unwrap_or_else(|_| Err("post did not note it".to_owned()));
                    let _ = desk.send(News::Noted(prompt.id, outcome));
                });
            }
            Source::House => {
                let _ = desk.send(News::Noted(prompt.id, Ok(())));
            }
        }
    }

    async fn tell(&mut self, prompt: Uuid, source: Source, attempt: u32, news: Told) {
        let step = match news {
            Told::Waits(reason) => Step::Waiting { reason },
            Told::Reached { state, evidence, reason } => {
                pass(state).await;
                if source != Source::Message && state == ReceiptState::Uncertain {
                    let data = json!({ "prompt": prompt.to_string(), "reason": reason });
                    self.house.event("session.prompt_uncertain", self.name(), &data);
                }
                if state.is_terminal(false) {
                    self.ended_for(prompt);
                }
                let run = self.phase.live().map(|live| live.record.id().to_string());
                Step::Reached { state, evidence, reason, run, attempt }
            }
        };
        if source == Source::Message {
            self.progress(prompt, step).await;
        }
    }

    async fn progress(&self, message: Uuid, step: Step) {
        let progress = Progress { session: self.name().to_owned(), message, step };
        if self.house.post.send(PostCommand::Progress(progress)).await.is_err() {
            tracing::debug!("post is gone; the journal knows how far the message was");
        }
    }

    fn ask_holder(&self, operation: OperationId, cancel: bool) {
        let Some(live) = self.phase.live() else { return };
        let (link, desk) = (live.link.clone(), self.desk.clone());
        tokio::spawn(async move {
            let answer = if cancel { link.cancel(operation).await } else { link.how_far(operation).await };
            let news = match answer {
                Ok(Some(report)) => News::Reported(report),
                Ok(None) => News::NotSeen(operation),
                // The link is lost: it is asked again once the holder is found.
                Err(_) => return,
            };
            let _ = desk.send(news);
        });
    }

    /// Looks at the run and tells the injector, if there is anything new to see.
    pub(super) async fn look(&mut self, now: Instant) {
        let Phase::Running(live) = &mut self.phase else {
            let effects = self.injector.tick(now);
            return self.carry_out(effects).await;
        };
        let under_way = self.injector.under_way().zip(self.injector.typed());
        let mut sight = reading::look(live, &mut self.drafting, under_way, now);
        // Nothing more is typed into a harness that may be about to be left.
        let judging = self.reports > 0 || self.retry.is_some() || live.suspicion.wakes_at().is_some();
        if judging && matches!(sight.gate, Gate::Ready | Gate::Unknown) {
            sight.gate = Gate::Failing;
        }
        live.keep_picture(live.rested(now) >= super::PICTURE_AFTER);
        let effects = if sight == self.sight {
            self.injector.tick(now)
        } else {
            self.dirty = true;
            let tells_nothing = live.definition.status.is_none() && live.follower.is_none();
            if tells_nothing && self.sight.gate == Gate::Busy && sight.gate == Gate::Ready {
                self.turn_done();
            }
            self.sight = sight.clone();
            self.injector.saw(sight, now)
        };
        self.carry_out(effects).await;
    }
}

/// The fail points between what is known here and what others are told.
async fn pass(state: ReceiptState) {
    match state {
        ReceiptState::Written => fail_point::at(Point::SessionWritten).await,
        ReceiptState::Submitted => fail_point::at(Point::SessionSubmitted).await,
        ReceiptState::Delivered => fail_point::at(Point::SessionConfirm).await,
        _ => {}
    }
}
