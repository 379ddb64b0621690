//! Serving the daemon: its handshake and its commands.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::tcgetpgrp;

use super::conn::Conn;
use super::door::describe;
use super::ending::Ending;
use super::holder::Holder;
use super::inlet::not_understood;
use super::life::{Left, Life, MAX_NAMED};
use super::outlet::Outlet;
use crate::fail_point::{self, Point};
use crate::holder::run::StreamId;
use crate::holder::script::{OperationId, Report, Step};
use crate::holder::wire::{
    self, Cancel, Command, ErrorCode, Event, Fault, Frame, Hello, HowFar, MAX_NOTE, NotSeen, Operation,
    Resize, SendSignal, Status, Target, Welcome, WireStep, Write,
};
use crate::sys;

/// A refusal: its code and a sentence.
type Refusal = (ErrorCode, String);

impl Holder {
    /// Makes a guest that said HELLO the daemon, if a version suits both.
    pub(super) fn greet(&mut self, mut conn: Conn, tag: u32, hello: Hello) {
        fail_point::pass(Point::HolderAdopt);
        let ours = (wire::MIN_VERSION, wire::MAX_VERSION);
        match wire::negotiate((hello.min_version, hello.max_version), ours) {
            Err(text) => conn.refuse(tag, HELLO, ErrorCode::VersionGap, text),
            Ok(version) => {
                conn.push(
                    tag,
                    &Event::Welcome(Welcome {
                        version,
                        run: self.run,
                        holder_pid: std::process::id(),
                        child_pid: self.pid.as_raw().cast_unsigned(),
                    }),
                );
                if let Some(old) = self.replace_daemon(Some(conn)) {
                    old.refuse(0, 0, ErrorCode::Replaced, "a newer connection took over".into());
                }
                self.announce_the_past();
                // Commands may have come in the same read as HELLO.
                self.hear_commands();
            }
        }
    }

    /// Reads and carries out what the daemon sent.
    pub(super) fn listen(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let alive = matches!(daemon.fill(), Ok(true));
        self.hear_commands();
        if !alive {
            self.replace_daemon(None);
        }
    }

    fn hear_commands(&mut self) {
        while let Some(daemon) = &mut self.daemon {
            let decoded = match daemon.next_payload() {
                Ok(None) => return,
                Ok(Some(payload)) => Command::decode(&payload),
                Err(error) => Err(error),
            };
            match decoded {
                Ok(frame) => self.serve(frame),
                Err(error) => {
                    let (code, tag, about) = describe(&error);
                    let text = format!("failed to {error}");
                    if code == ErrorCode::UnknownType {
                        daemon.push(tag, &Event::Fault(Fault { code, fatal: false, about, text }));
                    } else if let Some(conn) = self.replace_daemon(None) {
                        conn.refuse(tag, about, code, text);
                    }
                }
            }
        }
    }

    fn serve(&mut self, frame: Frame<Command>) {
        let Frame { tag, message } = frame;
        let about = message.kind();
        let answer = match self.carry_out(message) {
            Ok(answer) => answer,
            Err((code, text)) => Event::Fault(Fault { code, fatal: false, about, text }),
        };
        // Without a tag only reports and refusals are worth saying.
        let silent = tag == 0 && matches!(answer, Event::Done(()));
        if let Some(daemon) = self.daemon.as_mut().filter(|_| !silent) {
            daemon.push(tag, &answer);
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<Event, Refusal> {
        match command {
            Command::Hello(_) => return Err((ErrorCode::HandshakeTwice, "HELLO was said already".into())),
            Command::Launch(_) => {
                return Err((ErrorCode::BadValue, "the run has been launched already".into()));
            }
            Command::Follow(follow) => self.outlet(follow.stream)?.follow(follow),
            Command::Ack(ack) => self.outlet(ack.stream)?.ack(ack.upto),
            Command::Write(write) => return Ok(self.write(write)),
            Command::Cancel(Cancel { operation }) => {
                return Ok(report(operation, self.inlet.cancel(operation)));
            }
            Command::HowFar(HowFar { operation }) => {
                return Ok(report(operation, self.inlet.how_far(operation)));
            }
            Command::Resize(Resize { size }) => self.resize(size)?,
            Command::Signal(request) => self.signal(request)?,
            Command::Answered(answered) => self.answered = self.answered.max(answered.offset),
            Command::Note(note) if note.bytes.len() > MAX_NOTE => {
                return Err((ErrorCode::NoteTooLarge, format!("a note has at most {MAX_NOTE} bytes")));
            }
            Command::Note(note) => self.note = note.bytes,
            Command::Status(()) => return Ok(Event::Status(self.status())),
            Command::End(end) => return self.end(end),
            Command::Collect(()) if !self.is_gone() => {
                return Err((ErrorCode::NotGone, "the run is not proven gone yet".into()));
            }
            Command::Collect(()) => {
                // Whoever hears that it is done finds no socket any more.
                self.door.close();
                self.collected = true;
            }
            Command::CloseInput(()) if self.size.is_some() => {
                return Err((
                    ErrorCode::WrongChannel,
                    "a terminal has no end of input: write its EOF character".into(),
                ));
            }
            Command::CloseInput(()) => self.inlet.close_when_idle(),
        }
        Ok(Event::Done(()))
    }

    fn outlet(&mut self, stream: StreamId) -> Result<&mut Outlet, Refusal> {
        self.outlets
            .iter_mut()
            .find(|outlet| outlet.id() == stream)
            .ok_or_else(|| (ErrorCode::NoSuchStream, format!("this run has no stream {}", stream.0)))
    }

    fn write(&mut self, write: Write) -> Event {
        let Write { operation, steps } = write;
        let steps: Option<Vec<Step>> = steps.into_iter().map(step).collect();
        let report = match steps {
            Some(steps) => self.inlet.submit(operation, steps, &mut self.news),
            None => not_understood(operation),
        };
        Event::Operation(Operation { report })
    }

    fn resize(&mut self, size: crate::holder::run::Size) -> Result<(), Refusal> {
        if self.size.is_none() {
            return Err((ErrorCode::WrongChannel, "pipes have no size".into()));
        }
        if size.rows == 0 || size.cols == 0 {
            return Err((ErrorCode::BadValue, "a terminal has at least one row and one column".into()));
        }
        let terminal = self.inlet.fd().ok_or_else(not_running)?;
        sys::set_terminal_size(terminal, size.rows, size.cols).map_err(|e| system("set the size", e))?;
        self.size = Some(size);
        Ok(())
    }

    fn signal(&mut self, request: SendSignal) -> Result<(), Refusal> {
        let signal = Signal::try_from(request.signal)
            .map_err(|_| (ErrorCode::BadValue, format!("{} is no signal", request.signal)))?;
        // Once reaped, the pid may belong to anybody.
        if !self.leader_lives() {
            return Err(not_running());
        }
        let sent = match request.target {
            Target::Leader => kill(self.pid, signal),
            Target::Group => killpg(self.pid, signal),
            Target::Foreground if self.size.is_none() => {
                return Err((ErrorCode::WrongChannel, "pipes have no foreground group".into()));
            }
            Target::Foreground => {
                let terminal = self.inlet.fd().ok_or_else(not_running)?;
                tcgetpgrp(terminal).and_then(|group| killpg(group, signal))
            }
            Target::Unknown(code) => return Err((ErrorCode::BadValue, format!("{code} is no target"))),
        };
        sent.map_err(|e| system("send the signal", e.into()))
    }

    fn end(&mut self, end: wire::End) -> Result<Event, Refusal> {
        if let Some(rung) = end.rungs.iter().find(|rung| Signal::try_from(rung.signal).is_err()) {
            return Err((ErrorCode::BadValue, format!("{} is no signal", rung.signal)));
        }
        let now = Instant::now();
        if self.is_gone() {
            self.announce(Event::Gone(()));
            return Ok(Event::Done(()));
        }
        let ending = Ending::new(end.rungs, now);
        match &mut self.ending {
            Some(current) => current.hasten(ending),
            None => self.ending = Some(ending),
        }
        Ok(Event::Done(()))
    }

    fn status(&mut self) -> Status {
        if matches!(self.life, Life::Over { .. }) && self.ending.is_none() {
            self.look(Instant::now());
        }
        let (exit, survivors) = match &self.life {
            Life::Running | Life::Draining { .. } => (None, Vec::new()),
            Life::Over { exit, remains: Left::Nothing } => (Some(*exit), Vec::new()),
            Life::Over { exit, remains: Left::Processes { survivors, .. } } => {
                (Some(*exit), survivors.iter().take(MAX_NAMED).cloned().collect())
            }
        };
        Status {
            streams: self.outlets.iter().map(Outlet::status).collect(),
            exit,
            gone: self.is_gone(),
            survivors,
            size: self.size,
            answered: self.answered,
            note: self.note.clone(),
            operations: self.inlet.reports(),
        }
    }
}

const HELLO: u16 = 0x0001;

fn report(operation: OperationId, known: Option<Report>) -> Event {
    known.map_or(Event::NotSeen(NotSeen { operation }), |report| Event::Operation(Operation { report }))
}

fn step(step: WireStep) -> Option<Step> {
    match step.kind {
        WireStep::BYTES => Some(Step::Bytes(step.bytes)),
        WireStep::WAIT => Some(Step::Wait(Duration::from_millis(step.wait_ms.into()))),
        _ => None,
    }
}

fn not_running() -> Refusal {
    (ErrorCode::NotRunning, "the run's leader has ended".into())
}

fn system(what: &str, error: std::io::Error) -> Refusal {
    (ErrorCode::System, format!("failed to {what}: {error}"))
}
