//! Starting a run: from a session's spec and a mount to a holder that holds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::house::{House, new_id, now_ms};
use super::injection::prompt::Prompt;
use super::live::Live;
use super::spec::{RunRecord, SessionSpec};
use super::turn::Turn;
use crate::fail_point::{self, Point};
use crate::failover::command::Assignment;
use crate::harness::definition::Definition;
use crate::harness::home;
use crate::harness::launch::{Conversation, LaunchOptions, Presentation, launch};
use crate::harness::transcript::find;
use crate::holder::link::{self, place};
use crate::holder::run::{Channel, RunId, RunSpec, Size};

/// The variable that tells a run its daemon's socket.
pub const SOCKET_VARIABLE: &str = "POSTHOUSE_SOCKET";
/// The variable that tells a run its session's name.
pub const SESSION_VARIABLE: &str = "POSTHOUSE_SESSION";

/// How a run begins.
#[derive(Clone, Debug)]
pub enum Beginning {
    /// A new conversation, with a first prompt if there is one.
    New(Option<String>),
    /// An earlier conversation goes on; the text, if any, is typed once it is ready.
    Resume {
        /// The conversation's id.
        conversation: String,
        /// What is said to it.
        say: Option<String>,
    },
}

impl Beginning {
    /// Whether the house has something to say.
    pub fn speaks(&self) -> bool {
        matches!(self, Self::New(Some(_)) | Self::Resume { say: Some(_), .. })
    }
}

/// A run about to be started.
#[derive(Debug)]
pub struct Plan {
    /// What the next daemon needs to know of it.
    pub record: RunRecord,
    /// The definition it runs under.
    pub definition: Arc<Definition>,
    /// What is to be typed first, once it is ready.
    pub typed: Option<Prompt>,
    /// What the holder is told.
    spec: RunSpec,
}

/// Works out a run. `assignment` is `None` for a harness on whatever login it finds.
///
/// # Errors
/// A sentence that completes "failed to …".
pub fn plan(
    house: &House,
    session: &SessionSpec,
    variables: &BTreeMap<String, String>,
    assignment: Option<&Assignment>,
    beginning: Beginning,
    size: Size,
) -> Result<Plan, String> {
    let mount = assignment.map(|assignment| assignment.mount.clone());
    let harness = mount.as_ref().map_or(&session.harness, |mount| &mount.harness);
    let mut definition = house.catalog.get(harness).map_err(|e| e.to_string())?;
    if session.one_shot {
        let one_shot = definition.one_shot();
        definition = Arc::new(one_shot.ok_or_else(|| format!("start it: {harness} does no one-shot tasks"))?);
    }
    let run = RunId::new(new_id());
    let (conversation, prompt, typed) = begin(&definition, beginning);
    let id = match &conversation {
        Conversation::New => None,
        Conversation::NewWithId(id) | Conversation::Resume(id) => Some(id.clone()),
    };
    let mut env: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    env.insert(SOCKET_VARIABLE.to_owned(), house.socket.to_string_lossy().into_owned().into());
    env.insert(SESSION_VARIABLE.to_owned(), session.name.as_str().into());
    let options = LaunchOptions {
        cwd: session.cwd.clone(),
        prompt: prompt.clone(),
        trust: session.trust,
        model: mount.as_ref().and_then(|mount| mount.model.clone()).or_else(|| session.model.clone()),
        conversation,
        extra: session.args.clone(),
        env,
        helper: house.helper.clone(),
        socket: house.socket.clone(),
    };
    let ambient = Presentation::Ambient;
    let presentation = assignment.map_or(&ambient, |assignment| &assignment.presentation);
    let launch =
        launch(&definition, presentation, &options, house.outer.clone()).map_err(|e| e.to_string())?;
    if session.trust {
        home::grant_trust(&definition, &launch).map_err(|e| e.to_string())?;
    }
    let record = RunRecord {
        run: run.uuid(),
        socket: place::socket(&house.sockets, run).map_err(|e| e.to_string())?,
        harness: definition.name.clone(),
        mount,
        started_at: now_ms(),
        boot: house.boot.clone(),
        home: launch.home(&definition),
        resumed: matches!(options.conversation, Conversation::Resume(_)),
        conversation: id,
        conversation_from: 0,
        renewals: assignment.map_or(0, |assignment| assignment.renewals),
        asks: launch.asks,
        prints: definition.prints,
        turn: prompt.map_or_else(Turn::default, |text| Turn::given(Prompt::of_house(new_id(), text))),
    };
    let spec = RunSpec {
        run,
        argv: launch.argv.iter().map(Into::into).collect(),
        env: launch.exposed_env().map(|(name, value)| (name.into(), value.into())).collect(),
        cwd: launch.cwd.clone(),
        channel: Channel::Terminal(size),
        socket: record.socket.clone(),
        ring: house.ring,
        cgroup: house.confines.make_for(run),
    };
    let typed = typed.map(|text| Prompt::of_house(new_id(), text));
    Ok(Plan { record, definition, typed, spec })
}

/// The conversation, the prompt for the command line, and the text to be typed.
fn begin(definition: &Definition, beginning: Beginning) -> (Conversation, Option<String>, Option<String>) {
    match beginning {
        Beginning::Resume { conversation, say } if definition.prints => {
            (Conversation::Resume(conversation), say, None)
        }
        Beginning::Resume { conversation, say } => (Conversation::Resume(conversation), None, say),
        Beginning::New(task) => {
            let conversation = if definition.launch.session_id.is_empty() {
                Conversation::New
            } else {
                let id = uuid::Builder::from_random_bytes(random()).into_uuid();
                Conversation::NewWithId(id.to_string())
            };
            if definition.launch.prompt.is_empty() {
                (conversation, None, task)
            } else {
                (conversation, task, None)
            }
        }
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Ids of version 7 are made from the same source; without it nothing here works anyway.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = *new_id().as_bytes();
    }
    bytes
}

/// Starts a planned run; returns once the harness's program is executed.
///
/// # Errors
/// The truthful reason; it completes "failed to …".
pub async fn start(house: &House, plan: Plan, size: Size) -> Result<Live, String> {
    let Plan { mut record, definition, typed: _, spec } = plan;
    if record.resumed {
        record.conversation_from = length_of(&record, &definition).await;
    }
    fail_point::reach(Point::SpawnBefore).map_err(|error| error.to_string())?;
    let link = link::spawn(&house.holder, &spec).await.map_err(|error| full_reason(&error))?;
    fail_point::at(Point::SpawnAfter).await;
    let path = spec.env.iter().find(|(name, _)| name == "PATH");
    house.versions.ran(&definition, path.and_then(|(_, path)| path.to_str()).unwrap_or_default());
    Ok(Live::started(record, definition, link, size))
}

/// How long the file of the conversation is that a run goes on with.
async fn length_of(record: &RunRecord, definition: &Definition) -> u64 {
    let (Some(home), Some(id)) = (record.home.clone(), record.conversation.clone()) else { return 0 };
    let kind = definition.transcript;
    let length = tokio::task::spawn_blocking(move || {
        let file = find::by_id(kind, &home, &id)?;
        Some(std::fs::metadata(file).ok()?.len())
    });
    length.await.ok().flatten().unwrap_or(0)
}

/// An error with everything that caused it.
pub fn full_reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
