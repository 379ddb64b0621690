//! Following the conversation file of one run. A helper reads it whenever the session asks, away from the session's
//! own task, because a disk may be slow.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;

use super::injection::prompt::squeezed;
use crate::harness::definition::TranscriptKind;
use crate::harness::transcript::tail::Tail;
use crate::harness::transcript::{Event, find};

/// Which file, and where in it the run begins.
#[derive(Debug)]
pub struct Subject {
    /// What kind of file.
    pub kind: TranscriptKind,
    /// The harness's home.
    pub home: PathBuf,
    /// The folder the harness works in.
    pub cwd: PathBuf,
    /// The conversation, if it is known.
    pub conversation: Option<String>,
    /// The file is not older than the run.
    pub since: SystemTime,
    /// Where in the file the run begins, in bytes.
    pub from: u64,
    /// What stands in the file when following begins was followed before.
    pub has_history: bool,
}

/// How long after a turn its file is still looked for.
const SEEKS_FOR: Duration = Duration::from_secs(30);

/// The texts that tell the run's own file from others in the same folder. A short turn may be over before the harness
/// has written them, so they outlast it.
#[derive(Debug, Default)]
pub struct Sought {
    texts: Vec<String>,
    until: Option<Instant>,
}

impl Sought {
    /// Takes what is sought now, if anything is, and gives what is to be looked for.
    pub fn refresh(&mut self, texts: Vec<String>, now: Instant) -> Vec<String> {
        if !texts.is_empty() {
            *self = Self { texts, until: Some(now + SEEKS_FOR) };
        }
        self.texts.clone()
    }

    /// Whether a file that was not found yet may still be.
    pub fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// What a look brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What the file says, in order.
    pub events: Vec<Event>,
    /// It was there before the session began to follow: it has had its effect.
    pub is_history: bool,
}

/// The session's end of a follower; the follower ends with it.
#[derive(Debug)]
pub struct Follower {
    /// A look that is asked for while one is under way is the same look.
    looks: mpsc::Sender<Vec<String>>,
}

impl Follower {
    /// Begins to follow. Whatever is read is given to `tell`.
    pub fn begin(subject: Subject, tell: impl Fn(Said) + Send + 'static) -> Self {
        let (looks, asked) = mpsc::channel(1);
        tokio::spawn(follow(subject, asked, tell));
        Self { looks }
    }

    /// Has the file looked at. `sought` are the texts that tell the run's own file from others in the same folder.
    pub fn look(&self, sought: Vec<String>) {
        let _ = self.looks.try_send(sought);
    }
}

async fn follow(subject: Subject, mut looks: mpsc::Receiver<Vec<String>>, tell: impl Fn(Said)) {
    let mut reader = Reader { subject, tail: None };
    while let Some(sought) = looks.recv().await {
        let read = tokio::task::spawn_blocking(move || {
            let said = reader.look(&sought);
            (reader, said)
        });
        let Ok((back, said)) = read.await else { return };
        reader = back;
        if !said.events.is_empty() {
            tell(said);
        }
    }
}

struct Reader {
    subject: Subject,
    tail: Option<Tail>,
}

impl Reader {
    fn look(&mut self, sought: &[String]) -> Said {
        if self.tail.is_none() {
            return self.find(sought);
        }
        Said { events: self.poll(), is_history: false }
    }

    fn poll(&mut self) -> Vec<Event> {
        let Some(tail) = &mut self.tail else { return Vec::new() };
        tail.poll().unwrap_or_else(|error| {
            tracing::debug!(%error, "a conversation was not read");
            Vec::new()
        })
    }

    /// Finds the run's own file and reads it from its start.
    fn find(&mut self, sought: &[String]) -> Said {
        let Subject { kind, home, cwd, since, from, .. } = &self.subject;
        if let Some(id) = &self.subject.conversation {
            let Some(path) = find::by_id(*kind, home, id) else { return Said::default() };
            self.tail = Tail::new(*kind, &path, *from);
            return Said { events: self.poll(), is_history: self.subject.has_history };
        }
        for path in find::recent(*kind, home, cwd, *since) {
            let Some(mut tail) = Tail::new(*kind, &path, 0) else { continue };
            let events = tail.poll().unwrap_or_default();
            if events.iter().any(|event| is_ours(event, sought)) {
                self.tail = Some(tail);
                return Said { events, is_history: self.subject.has_history };
            }
        }
        Said::default()
    }
}

fn is_ours(event: &Event, sought: &[String]) -> bool {
    match event {
        Event::UserMessage { text } => {
            let text = squeezed(text);
            sought.iter().any(|sought| !sought.is_empty() && text.contains(sought))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(home: &std::path::Path, conversation: Option<&str>) -> Subject {
        Subject {
            kind: TranscriptKind::Claude,
            home: home.to_owned(),
            cwd: "/work".into(),
            conversation: conversation.map(str::to_owned),
            since: SystemTime::UNIX_EPOCH,
            from: 0,
            has_history: false,
        }
    }

    #[test]
    fn what_was_sought_outlasts_its_turn_for_a_while() {
        let (now, mut sought) = (Instant::now(), Sought::default());
        assert!(!sought.lasts(now));
        assert_eq!(sought.refresh(vec!["a".into()], now), ["a"]);
        assert_eq!(sought.refresh(vec![], now + SEEKS_FOR / 2), ["a"]);
        assert!(sought.lasts(now + SEEKS_FOR / 2) && !sought.lasts(now + SEEKS_FOR));
    }

    fn line(text: &str) -> String {
        format!("{{\"type\":\"user\",\"sessionId\":\"s\",\"message\":{{\"content\":{text:?}}}}}\n")
    }

    #[test]
    fn of_two_files_in_one_folder_the_one_with_our_words_is_ours() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("projects/-work");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("a.jsonl"), line("mark=1111 hello")).unwrap();
        std::fs::write(dir.join("b.jsonl"), line("mark=2222 hello")).unwrap();
        let mut reader = Reader { subject: subject(home.path(), None), tail: None };
        assert_eq!(reader.look(&["3333".into()]), Said::default());
        let said = reader.look(&["2222".into()]);
        assert!(said.events.contains(&Event::UserMessage { text: "mark=2222 hello".into() }));
        assert_eq!(reader.tail.as_ref().unwrap().path(), dir.join("b.jsonl"));
        assert_eq!(reader.look(&[]).events, [], "nothing is told twice");
    }

    #[test]
    fn a_known_conversation_needs_no_search() {
        let home = tempfile::tempdir().unwrap();
        let mut reader = Reader { subject: subject(home.path(), Some("a")), tail: None };
        assert_eq!(reader.look(&[]), Said::default(), "not written yet");
        let dir = home.path().join("projects/-work");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("a.jsonl"), line("first")).unwrap();
        assert_eq!(reader.look(&[]).events.len(), 3);
    }
}
