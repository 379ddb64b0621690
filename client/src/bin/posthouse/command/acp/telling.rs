//! Telling the editor what goes on in the session.

use std::time::{Duration, Instant};

use posthouse_protocol::ErrorCode;
use posthouse_protocol::payload::{Conversation, Said, Screen, SessionInfo};
use serde_json::{Value, json};

use super::agent::Agent;
use super::content::squeezed;
use super::rpc::{self, Code, Refusal};
use super::turn::{End, Turn};
use crate::exit::Failure;

/// A harness may write down its last words a moment after it has said that the turn is over.
const LAST_WORDS: Duration = Duration::from_millis(150);
/// Looks for last words.
const LAST_LOOKS: usize = 4;
/// The same where it is not known yet in which conversation they are.
const MOST_LOOKS: usize = 30;

/// What was told of the session so far.
#[derive(Debug, Default)]
pub struct View {
    /// How far the conversation was told.
    pub cursor: Option<String>,
    /// Where its words are read.
    pub source: Source,
    /// When the last trouble that was told arose, Unix milliseconds.
    pub trouble_at: u64,
    /// The dialog that was told last.
    pub blocked: Option<String>,
}

/// Where the agent's words are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// In the harness's conversation.
    #[default]
    Conversation,
    /// There too, once it is known which one it is.
    Awaited,
    /// On its screen: it keeps no conversation.
    Screen,
}

impl Agent<'_> {
    /// Tells what is new in the session, and answers the prompts that have ended.
    pub(super) async fn look(&mut self) -> Result<(), Failure> {
        // What led to the words is known once they are there, and is told before them.
        let said = self.gather().await?;
        let info = self.info().await?;
        if let Some(info) = &info {
            self.warn(info)?;
        }
        said.iter().try_for_each(|said| self.tell(said))?;
        let watched =
            info.as_ref().is_some_and(|info| self.turns.iter().any(|turn| turn.watches_screen(info)));
        let screen = if watched { Some(self.screen().await?) } else { None };
        let now = Instant::now();
        let turns = self.turns.iter_mut();
        let ended: Vec<(String, End)> = turns
            .filter_map(|turn| Some((turn.send.clone(), turn.look(info.as_ref(), screen.clone(), now)?)))
            .collect();
        if ended.is_empty() {
            return Ok(());
        }
        self.last_words().await?;
        for (send, end) in ended {
            let Some(place) = self.turns.iter().position(|turn| turn.send == send) else { continue };
            let turn = self.turns.remove(place);
            let reason = |word: &str| Ok(json!({ "stopReason": word }));
            let answer = match end {
                End::Turn => reason("end_turn"),
                End::Cancelled { queued } => {
                    if queued {
                        let name = &self.args.name;
                        self.notice(&format!(
                            "{name} was not ready for the prompt; it is typed once {name} is"
                        ))?;
                    }
                    reason("cancelled")
                }
                End::Failed(why) => Err(Refusal::new(Code::Internal, why)),
            };
            rpc::answer(&turn.request, answer)?;
        }
        Ok(())
    }

    /// Reads on until the harness has nothing more to say.
    async fn last_words(&mut self) -> Result<(), Failure> {
        let mut silent = 0;
        for look in 0..MOST_LOOKS {
            silent = if self.read_on().await? { 0 } else { silent + 1 };
            let source = self.source();
            if source == Source::Screen || (source != Source::Awaited && (silent == 2 || look >= LAST_LOOKS))
            {
                break;
            }
            tokio::time::sleep(LAST_WORDS).await;
        }
        if self.source() != Source::Conversation {
            let screen = self.screen().await?.join("\n");
            let said = Said { role: "agent".to_owned(), text: format!("```\n{}\n```", screen.trim_end()) };
            self.tell(&said)?;
        }
        let settled = self.narrator.end_turn();
        self.update(&settled)
    }

    fn source(&self) -> Source {
        self.view.as_ref().map(|view| view.source).unwrap_or_default()
    }

    /// Tells what the conversation holds beyond what was told. Whether there was anything.
    pub(super) async fn read_on(&mut self) -> Result<bool, Failure> {
        let said = self.gather().await?;
        said.iter().try_for_each(|said| self.tell(said))?;
        Ok(!said.is_empty())
    }

    /// Reads what the conversation holds beyond what was read.
    async fn gather(&mut self) -> Result<Vec<Said>, Failure> {
        let mut all = Vec::new();
        loop {
            let Some(view) = &self.view else { return Ok(all) };
            let request =
                Conversation { name: self.args.name.clone(), after: view.cursor.clone(), at_end: None };
            let told = match self.ask(&request).await {
                // A session that was released has no conversation; whoever waits for it is told so elsewhere.
                Err(failure) if failure.code == Some(ErrorCode::NoSuchSession) => return Ok(all),
                other => other?,
            };
            if let Some(view) = &mut self.view {
                view.source = match (&told.conversation, &told.next) {
                    (Some(_), _) => Source::Conversation,
                    (None, Some(_)) => Source::Awaited,
                    (None, None) => Source::Screen,
                };
                view.cursor = told.next.or(view.cursor.take());
            }
            all.extend(told.said);
            if !told.more {
                return Ok(all);
            }
        }
    }

    fn tell(&mut self, said: &Said) -> Result<(), Failure> {
        // The editor shows its own prompt already.
        let own = |turn: &Turn| said.role == "user" && squeezed(&said.text).contains(&turn.prompt);
        if self.turns.iter().any(own) {
            return Ok(());
        }
        let updates = self.narrator.tell(said);
        self.update(&updates)
    }

    /// What a person has to know: the session waits for someone, or something failed.
    fn warn(&mut self, info: &SessionInfo) -> Result<(), Failure> {
        let Some(view) = &mut self.view else { return Ok(()) };
        let mut notices = Vec::new();
        let blocked = info.blocked.as_ref().filter(|_| info.state == "blocked");
        let dialog = blocked.map(|b| b.request_id.clone().unwrap_or_else(|| b.kind.clone()));
        if let (Some(blocked), true) = (blocked, dialog != view.blocked) {
            let what = blocked.message.as_deref().unwrap_or(&blocked.kind);
            notices.push(format!("{} waits for a person ({what}): posthouse attach {0}", info.name));
        }
        view.blocked = dialog;
        if let Some(trouble) = info.trouble.as_ref().filter(|trouble| trouble.at > view.trouble_at) {
            view.trouble_at = trouble.at;
            let repair = trouble.repair.as_deref().filter(|repair| !trouble.message.contains(repair));
            let repair = repair.map(|repair| format!(" · repair: {repair}")).unwrap_or_default();
            notices.push(format!("{}{repair}", trouble.message));
        }
        notices.iter().try_for_each(|notice| self.notice(notice))
    }

    fn notice(&mut self, text: &str) -> Result<(), Failure> {
        let update = self.narrator.notice(text);
        self.update(&[update])
    }

    async fn screen(&mut self) -> Result<Vec<String>, Failure> {
        let request = Screen { name: self.args.name.clone(), ansi: None };
        Ok(self.ask(&request).await?.rows)
    }

    fn update(&self, updates: &[Value]) -> Result<(), Failure> {
        updates.iter().try_for_each(|update| rpc::update(&self.args.name, update)).map_err(Failure::from)
    }
}
