//! The stand-in harness: a small scripted program that behaves like an agent's terminal interface. It has a composer,
//! reports its state, keeps conversation files, fails like a provider would, and obeys directives in what it is told,
//! so that a test can have any behaviour by sending a message.
//!
//! The daemon knows it only by its definition, `tests/data/harnesses/standin.toml`.

pub mod directive;
pub mod editor;
mod paint;
pub mod record;
mod terminal;
mod world;

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use directive::{Directive, Failure};
use editor::{Editor, Key, Keys};
use record::{Conversation, Log};
use terminal::Terminal;

/// The definition under which the daemon runs it.
pub const DEFINITION: &str = include_str!("../../data/harnesses/standin.toml");

/// The same for accounts of `provider`, with the program as it was built beside the test.
pub fn definition_for(provider: &str) -> String {
    let program = format!("program = {:?}", crate::world::program("standin"));
    DEFINITION
        .replace("name = \"standin\"", &format!("name = \"standin\"\nprovider = {provider:?}"))
        .replace("program = \"standin\"", &program)
}

/// What a definition says of a login in `login.json`, made by the program `fake-login`, and asked about at `endpoint` as
/// the probe says; to be put behind everything else.
pub fn login_at(endpoint: &str, path: &str) -> String {
    format!(
        r#"
[login]
command = ["fake-login"]

[credential.login]
path = "login.json"
access = [["access"]]
refresh = [["refresh"]]
expires = [["ends"]]
account = [["who"]]

[credential.login.renew]
url = "{endpoint}/oauth/token"
client_id = "fake"

[credential.login.probe]
base_url = "{endpoint}"
path = "{path}"
headers = {{ authorization = "Bearer {{secret}}" }}
"#
    )
}

/// How long a turn takes unless it is told otherwise.
const TURN: Duration = Duration::from_millis(20);

/// What the stand-in is started with.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Choose the conversation's id.
    pub session_id: Option<String>,
    /// Go on with a conversation.
    pub resume: Option<String>,
    /// The first prompt.
    pub prompt: Option<String>,
}

/// What it takes from its environment.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// `STANDIN_HOME`: where conversations are kept.
    pub home: Option<PathBuf>,
    /// `STANDIN_KEY`: its credential.
    pub key: String,
    /// `STANDIN_LOG`: where everything received is written, one JSON object a line.
    pub log: Option<PathBuf>,
    /// `STANDIN_REVOKED`: a file of revoked keys, one a line.
    pub revoked: Option<PathBuf>,
}

/// Runs it on the terminal that is its standard input and output.
///
/// # Errors
/// When the terminal or a file can't be used.
pub fn run(arguments: Arguments, surroundings: Surroundings) -> io::Result<ExitCode> {
    let conversation = Conversation::open(
        surroundings.home.as_deref(),
        arguments.session_id.as_deref(),
        arguments.resume.as_deref(),
    )?;
    let log = Log::open(surroundings.log.as_deref(), &surroundings.key, conversation.id())?;
    let mut standin = StandIn {
        terminal: Terminal::open()?,
        keys: Keys::default(),
        editor: Editor::default(),
        history: Vec::new(),
        queue: Vec::new(),
        turn: None,
        dialog: None,
        ambush: false,
        swallow_enter: false,
        surroundings,
        conversation,
        log,
    };
    standin.log.started(arguments.resume.is_some())?;
    standin.terminal.report("idle", None, None)?;
    standin.paint()?;
    if let Some(prompt) = arguments.prompt {
        standin.receive(prompt)?;
    }
    standin.live()
}

struct StandIn {
    terminal: Terminal,
    keys: Keys,
    editor: Editor,
    history: Vec<paint::Line>,
    /// Messages that came during a turn.
    queue: Vec<String>,
    turn: Option<Turn>,
    dialog: Option<String>,
    /// A dialog opens at the next paste.
    ambush: bool,
    /// The next Enter is lost.
    swallow_enter: bool,
    surroundings: Surroundings,
    conversation: Conversation,
    log: Log,
}

/// A turn in progress.
struct Turn {
    ends: Instant,
    failure: Option<Failure>,
    /// The code with which it ends with the turn.
    exit: Option<u8>,
}

/// Whether it goes on.
enum Flow {
    On,
    Exit(u8),
}

impl StandIn {
    fn live(&mut self) -> io::Result<ExitCode> {
        loop {
            let wait = self.turn.as_ref().filter(|_| self.dialog.is_none());
            let wait = wait.map(|turn| turn.ends.saturating_duration_since(Instant::now()));
            let Some(input) = terminal::read(io::stdin().as_fd(), wait)? else {
                return Ok(ExitCode::SUCCESS);
            };
            for key in self.keys.read(&input) {
                if let Flow::Exit(code) = self.press(key)? {
                    self.terminal.report("clear", None, None)?;
                    return Ok(ExitCode::from(code));
                }
            }
            if let Flow::Exit(code) = self.go_on()? {
                self.terminal.report("clear", None, None)?;
                return Ok(ExitCode::from(code));
            }
            self.paint()?;
        }
    }

    fn press(&mut self, key: Key) -> io::Result<Flow> {
        if let Key::Size(rows, columns) = key {
            self.terminal.resized(rows, columns);
            return Ok(Flow::On);
        }
        if self.dialog.is_some() {
            // Like real dialogs: single keys answer, everything else is lost.
            if matches!(key, Key::Text('1' | '2')) {
                self.dialog = None;
                let state = if self.turn.is_some() { "working" } else { "idle" };
                self.terminal.report(state, None, None)?;
            }
            return Ok(Flow::On);
        }
        match key {
            Key::Enter if std::mem::take(&mut self.swallow_enter) => {}
            Key::Enter => {
                let text = self.editor.take();
                match text.trim() {
                    "" => {}
                    "/quit" => return Ok(Flow::Exit(0)),
                    _ if self.turn.is_some() => self.queue.push(text),
                    _ => return self.receive(text),
                }
            }
            Key::Interrupt if self.editor.is_empty() && self.turn.is_none() => return Ok(Flow::Exit(0)),
            Key::Interrupt => self.editor.clear(),
            Key::Escape => self.interrupt()?,
            Key::Paste(text) => {
                self.editor.paste(&text);
                if std::mem::take(&mut self.ambush) {
                    self.open_dialog("permission")?;
                }
            }
            Key::Text(c) => self.editor.insert(c),
            Key::LineFeed => self.editor.insert('\n'),
            Key::Erase => self.editor.erase(),
            Key::EraseLine => self.editor.clear(),
            Key::Size(..) => {}
        }
        Ok(Flow::On)
    }

    /// The turn that runs, if one does, is broken off.
    fn interrupt(&mut self) -> io::Result<()> {
        if self.turn.take().is_some() {
            self.conversation.interrupted()?;
            self.history.push(paint::Line::Prose("Interrupted.".into()));
            self.terminal.report("idle", None, None)?;
        }
        Ok(())
    }

    /// A message was submitted: a turn begins.
    fn receive(&mut self, text: String) -> io::Result<Flow> {
        self.log.received(&text)?;
        self.conversation.user(&text)?;
        self.terminal.report("working", None, None)?;
        self.history.push(paint::Line::User(text.clone()));
        let mut turn = Turn { ends: Instant::now() + TURN, failure: None, exit: None };
        if self.is_revoked() {
            turn.failure = Some(Failure::Revoked);
        }
        for directive in directive::directives(&text) {
            self.obey(directive, &mut turn)?;
        }
        self.turn = Some(turn);
        Ok(Flow::On)
    }

    fn obey(&mut self, directive: Directive, turn: &mut Turn) -> io::Result<()> {
        // Nothing is done with a key that is not accepted, but it may take its time.
        if turn.failure == Some(Failure::Revoked) && !matches!(directive, Directive::Slow(_)) {
            return Ok(());
        }
        match directive {
            Directive::Slow(time) => turn.ends += time,
            Directive::Tool => self.conversation.tool()?,
            Directive::Dialog(kind) => self.open_dialog(&kind)?,
            Directive::Ambush => self.ambush = true,
            Directive::SwallowEnter => self.swallow_enter = true,
            Directive::Fail(failure) => turn.failure = Some(failure),
            Directive::Quote(text) => self.history.push(paint::Line::Prose(text)),
            Directive::Exit { only: Some(key), .. } if key != self.surroundings.key => {}
            Directive::Exit { code, .. } => turn.exit = Some(code),
            Directive::Fork => world::fork()?,
            Directive::Wedge => loop {
                std::thread::park();
            },
            Directive::Flood(bytes) => self.terminal.flood(bytes)?,
            Directive::Reply { to, text } => world::reply(&to, &text)?,
        }
        Ok(())
    }

    fn open_dialog(&mut self, kind: &str) -> io::Result<()> {
        self.dialog = Some(kind.to_owned());
        self.terminal.report("blocked", Some(kind), Some("approve this"))
    }

    /// Ends a turn whose time has come, and begins the next one that was queued.
    fn go_on(&mut self) -> io::Result<Flow> {
        let due = self.turn.as_ref().is_some_and(|turn| turn.ends <= Instant::now());
        if !due || self.dialog.is_some() {
            return Ok(Flow::On);
        }
        let Some(turn) = self.turn.take() else { return Ok(Flow::On) };
        if let Some(code) = turn.exit {
            return Ok(Flow::Exit(code));
        }
        match turn.failure {
            Some(failure) => {
                let text = failure.sentence();
                self.conversation.failed(&failure)?;
                self.history.push(paint::Line::Failure(text.clone()));
                self.terminal.report("error", None, Some(&text))?;
            }
            None => {
                self.conversation.answer("Done.")?;
                self.history.push(paint::Line::Prose("Done.".into()));
                self.terminal.report("done", None, None)?;
            }
        }
        if !self.queue.is_empty() {
            let next = self.queue.remove(0);
            return self.receive(next);
        }
        Ok(Flow::On)
    }

    fn is_revoked(&self) -> bool {
        let revoked = self.surroundings.revoked.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        revoked.is_some_and(|keys| keys.lines().any(|key| key == self.surroundings.key))
    }

    fn paint(&mut self) -> io::Result<()> {
        let scene = paint::Scene {
            history: &self.history,
            composer: &self.editor.shown(),
            dialog: self.dialog.as_deref(),
            busy: self.turn.is_some(),
        };
        self.terminal.paint(&scene)
    }
}
