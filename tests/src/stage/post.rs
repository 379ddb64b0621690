//! The stage's post: it notes what it is told, and outlives the daemons.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use posthouse_protocol::{Evidence, ReceiptState, When};
use posthoused::post::command::{Injection, PostCommand, Progress, SessionSink, Step};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

/// One step of one message, as post was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The session.
    pub session: String,
    /// The message.
    pub message: Uuid,
    /// The state, or what it waits for.
    pub what: What,
    /// Counts submissions.
    pub attempt: u32,
}

impl Told {
    /// Whether nothing more can be told of it.
    pub fn is_ending(&self) -> bool {
        matches!(&self.what, What::Reached(state, ..) if state.is_terminal(false))
    }
}

/// What can be told of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It waits for this.
    Waits(String),
    /// It is about to be written to this run.
    Writing(String),
    /// It reached this state.
    Reached(ReceiptState, Option<Evidence>, Option<String>),
}

/// What post knows; outlives the daemons of a stage, as the journal would.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) told: Vec<Told>,
    pub(super) sinks: HashMap<String, SessionSink>,
    pub(super) down: Vec<String>,
}

/// A message from `alice`.
pub fn injection(body: &str, when: When) -> Injection {
    Injection {
        message: Uuid::now_v7(),
        from: "alice".into(),
        original_to: None,
        body: body.into(),
        thread: None,
        when,
        plain: false,
        expects_answer: false,
        deadline: None,
        earlier: None,
    }
}

/// Takes what sessions say until they are gone.
pub(super) async fn run_post(
    mut commands: mpsc::Receiver<PostCommand>,
    post: Arc<Mutex<Post>>,
    changed: watch::Sender<u64>,
) {
    while let Some(command) = commands.recv().await {
        let mut post = post.lock().expect("post");
        match command {
            PostCommand::Reserve { reply, .. } => drop(reply.send(Ok(()))),
            PostCommand::SessionUp { name, sink, .. } => drop(post.sinks.insert(name, sink)),
            PostCommand::SessionDown { name, .. } => {
                post.sinks.remove(&name);
                post.down.push(name);
            }
            PostCommand::Progress(Progress { session, message, step }) => {
                let (what, attempt) = match step {
                    Step::Waiting { reason } => (What::Waits(reason), 0),
                    Step::Writing { run, attempt, done } => {
                        if let Some(done) = done.0 {
                            let _ = done.send(Ok(()));
                        }
                        (What::Writing(run), attempt)
                    }
                    Step::Reached { state, evidence, reason, attempt, .. } => {
                        (What::Reached(state, evidence, reason), attempt)
                    }
                };
                post.told.push(Told { session, message, what, attempt });
            }
            _ => {}
        }
        drop(post);
        changed.send_modify(|count| *count += 1);
    }
}
