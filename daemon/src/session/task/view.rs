//! Looking at a session and typing into it: screen, logs, keys, viewers.

use std::time::{Duration, Instant};

use posthouse_protocol::payload::{Attach, AttachResponse, LogsResponse, ScreenResponse, WindowSize};
use posthouse_protocol::{Blob, ErrorCode};
use tokio::sync::oneshot;

use super::order::{GatheredFor, News, Order};
use super::phase::Phase;
use super::{Flow, STRAGGLERS, Task};
use crate::failover::command::FailoverCommand;
use crate::gate::outbox::Outbox;
use crate::harness::screen::Screen;
use crate::holder::run::{Size, StreamId};
use crate::holder::script::{OperationId, Step};
use crate::post::command::ConnId;
use crate::session::command::{Reply, SessionError};
use crate::session::drafting::without_replies;
use crate::session::house::new_id;
use crate::session::injection::sight::Gate;
use crate::session::replay::{Gathered, Replay};

/// Most bytes of output in one answer, so that base64 and envelope fit the frame limit.
const MAX_LOGS: usize = 512 * 1024;
/// Most bytes that are read to find the lines before a screen.
const MAX_SCROLLBACK: usize = 1 << 20;

/// Pause between keys that are pressed one after the other.
const BETWEEN_KEYS: Duration = Duration::from_millis(200);

/// Readers of old output that may wait for each other.
const MAX_READERS: usize = 16;

impl Task {
    /// Does what the registry says.
    pub(super) async fn obey(&mut self, order: Order) -> Flow {
        self.dirty = true;
        match order {
            Order::Release { .. } => return self.release(order).await,
            Order::Leave => {
                if let Some(live) = self.phase.live_mut() {
                    live.keep_picture(true);
                }
                return Flow::Over;
            }
            Order::Screen { ansi, reply } => {
                let _ = reply.send(self.screen(ansi));
            }
            Order::Logs { after, limit, reply } => self.logs(after, limit, reply),
            Order::Conversation { request, limit, reply } => self.recount(request, limit, reply),
            Order::Interrupt { reply } => self.interrupt(reply),
            Order::Allow { reply } => return self.allow(reply).await,
            Order::Keys { data, reply } => self.keys(data, Some(reply)),
            Order::Attach { attach, request, conn, outbox, reply } => {
                let _ = reply.send(Ok(()));
                self.attach(&attach, request, conn, outbox);
            }
            Order::ViewerInput { conn, data } => {
                if self.viewers.types(conn, Instant::now()) {
                    self.fit_size(None);
                    self.keys(without_replies(&data), None);
                }
            }
            Order::ViewerResize { conn, size } => {
                self.viewers.resized(conn, size_of(&size), Instant::now());
                self.fit_size(None);
            }
            Order::Detach { conn } => {
                self.viewers.remove(conn);
                self.fit_size(None);
            }
            Order::Outcome { reply } => {
                let _ = reply.send(Ok(self.record.outcome.clone()));
            }
            Order::Key { reply } => self.key_wanted(reply),
            Order::Explain { failure, reply } => self.explain(failure, reply).await,
        }
        Flow::On
    }

    fn no_run<T>(&self, what: &str) -> Result<T, SessionError> {
        let message = format!("{what} {}: it has no run ({})", self.name(), self.state());
        Err(SessionError::new(ErrorCode::NotReady, message))
    }

    fn screen(&mut self, ansi: bool) -> Result<ScreenResponse, SessionError> {
        let name = self.name().to_owned();
        let Some(live) = self.phase.live_mut() else { return self.no_run("show the screen of") };
        let title = live.title().to_owned();
        let screen = live.screen();
        let view = screen.view();
        let (rows, cols) = screen.size();
        Ok(ScreenResponse {
            name,
            size: WindowSize { cols, rows },
            rows: view.rows.iter().map(|row| row.text.clone()).collect(),
            cursor_row: view.cursor.0,
            cursor_col: view.cursor.1,
            title,
            alternate: view.alternate,
            ansi: ansi.then(|| Blob(screen.checkpoint().bytes)),
        })
    }

    fn logs(&mut self, after: Option<u64>, limit: usize, reply: Reply<LogsResponse>) {
        if self.phase.live().is_none() {
            let _ = reply.send(self.no_run("read the output of"));
            return;
        }
        self.gather(after.unwrap_or(0), limit.min(MAX_LOGS), GatheredFor::Logs(reply));
    }

    /// Has old output read from the holder's ring, one reader after the other.
    fn gather(&mut self, from: u64, limit: usize, whom: GatheredFor) {
        let Some(live) = self.phase.live_mut() else { return };
        if live.replay.as_ref().is_some_and(|replay| !replay.is_done()) {
            match whom {
                whom if self.readers.len() < MAX_READERS => self.readers.push_back((from, limit, whom)),
                GatheredFor::Logs(reply) => {
                    let message = "read the output: too many are reading it";
                    let _ = reply.send(Err(SessionError::new(ErrorCode::LimitExceeded, message)));
                }
                GatheredFor::Viewer { conn, .. } => self.redraw(Some(conn)),
            }
            return;
        }
        let desk = self.desk.clone();
        let (done, gathered) = oneshot::channel();
        let until = live.next();
        live.replay = Some(Replay::new(from, until, limit, done, Instant::now()));
        let link = live.link.clone();
        tokio::spawn(async move {
            let followed = if from < until { link.follow(StreamId::TERMINAL, from).await } else { Ok(()) };
            match (followed, whom) {
                (Ok(()), whom) => {
                    if let Ok(gathered) = gathered.await {
                        let _ = desk.send(News::Gathered(gathered, whom));
                    }
                }
                (Err(error), GatheredFor::Logs(reply)) => {
                    let message = format!("read the output: {error}");
                    let _ = reply.send(Err(SessionError::new(ErrorCode::NotReady, message)));
                }
                (Err(_), GatheredFor::Viewer { .. }) => {}
            }
        });
    }

    /// The next reader's turn comes when the stream is in the present again.
    pub(super) fn read_on(&mut self) {
        let free = self.phase.live().is_some_and(|live| live.replay.as_ref().is_none_or(Replay::is_done));
        if free && let Some((from, limit, whom)) = self.readers.pop_front() {
            self.gather(from, limit, whom);
        }
    }

    pub(super) fn gathered(&mut self, gathered: Gathered, whom: GatheredFor) {
        let Gathered { offset, bytes } = gathered;
        match whom {
            GatheredFor::Logs(reply) => {
                let Some(live) = self.phase.live() else { return };
                let _ = reply.send(Ok(LogsResponse {
                    name: self.name().to_owned(),
                    run: live.record.id().to_string(),
                    offset,
                    end: live.next(),
                    data: Blob(bytes),
                }));
            }
            GatheredFor::Viewer { conn, lines } => {
                let skip = lines.map_or(0, |lines| start_of_last(&bytes, lines));
                let shown = bytes.get(skip..).unwrap_or_default().to_vec();
                self.viewers.replay(conn, offset + skip as u64, shown);
                if lines.is_some() {
                    self.redraw(Some(conn));
                }
            }
        }
    }

    /// Types keys. A single writer: they go behind whatever is being written.
    fn keys(&mut self, data: Vec<u8>, reply: Option<Reply<()>>) {
        if data.is_empty() {
            if let Some(reply) = reply {
                let _ = reply.send(Ok(()));
            }
            return;
        }
        if self.phase.live().is_none_or(|live| live.exit.is_some()) {
            if let Some(reply) = reply {
                let _ = reply.send(self.no_run("type into"));
            }
            return;
        }
        // An answer to a dialog is no draft.
        if !matches!(self.sight.gate, Gate::Blocked(_)) {
            self.drafting.typed(&data, Instant::now());
        }
        self.press(vec![Step::Bytes(data)], reply);
    }

    /// Stops the turn by the keys that the harness has for it. Where none runs, the same keys may mean something else.
    fn interrupt(&mut self, reply: Reply<()>) {
        let refuse = |why: String| SessionError::new(ErrorCode::NotReady, why);
        let keys = match (&self.phase, self.state()) {
            (Phase::Running(live), "busy" | "blocked" | "running") if live.exit.is_none() => {
                live.definition.injection.interrupt.clone()
            }
            (_, state) => {
                let why = format!("interrupt {}: it is in no turn, it is {state}", self.name());
                let _ = reply.send(Err(refuse(why)));
                return;
            }
        };
        if keys.is_empty() {
            let why = format!("interrupt {}: its harness definition names no keys for it", self.name());
            let _ = reply.send(Err(refuse(why)));
            return;
        }
        let mut steps = Vec::new();
        for key in keys {
            if !steps.is_empty() {
                steps.push(Step::Wait(BETWEEN_KEYS));
            }
            steps.push(Step::Bytes(key.into_bytes()));
        }
        self.press(steps, Some(reply));
    }

    fn press(&mut self, steps: Vec<Step>, reply: Option<Reply<()>>) {
        let Some(live) = self.phase.live() else { return };
        let operation = OperationId::new(new_id());
        match live.link.write_soon(operation, steps) {
            Ok(()) => {
                if let Some(reply) = reply {
                    self.keys.insert(operation, reply);
                }
            }
            Err(error) => {
                if let Some(reply) = reply {
                    let message = format!("type into {}: {error}", self.name());
                    let _ = reply.send(Err(SessionError::new(ErrorCode::NotReady, message)));
                }
            }
        }
    }

    fn attach(&mut self, attach: &Attach, request: String, conn: ConnId, outbox: Outbox) {
        let read_only = attach.read_only.unwrap_or(false);
        let size = attach.size.as_ref().map(size_of);
        self.viewers.add(conn, outbox, read_only, size, Instant::now());
        self.fit_size(Some(conn));
        let shown = self.wanted_size();
        let response = AttachResponse {
            name: self.name().to_owned(),
            run: self.phase.live().map(|live| live.record.id().to_string()),
            pid: self.phase.live().map(|live| live.pid),
            size: WindowSize { cols: shown.cols, rows: shown.rows },
            notice: self.notice(),
        };
        self.viewers.answer(conn, request, &response);
        let all = |from| (from, MAX_SCROLLBACK, None);
        let wanted = attach.after.map(all).or_else(|| {
            let lines = attach.scrollback.filter(|lines| *lines > 0)?;
            Some((0, MAX_SCROLLBACK, Some(usize::try_from(lines).unwrap_or(usize::MAX))))
        });
        match wanted {
            Some((from, limit, lines)) => self.gather(from, limit, GatheredFor::Viewer { conn, lines }),
            None => self.redraw(Some(conn)),
        }
    }

    /// Everyone is shown another run's screen.
    pub(super) fn draw_anew(&mut self) {
        self.viewers.lose_sight();
        self.redraw(None);
    }

    fn redraw(&mut self, conn: Option<ConnId>) {
        if let Some(live) = self.phase.live_mut() {
            self.viewers.redraw(conn, || live.screen().checkpoint().bytes);
        }
    }

    /// Viewers that fell behind are shown the screen once they read again.
    pub(super) fn look_after_viewers(&mut self, now: Instant) {
        if self.stragglers_at.is_some_and(|at| at <= now) {
            self.redraw(None);
            self.stragglers_at = None;
        }
        if self.stragglers_at.is_none() && self.viewers.has_stragglers() {
            self.stragglers_at = Some(now + STRAGGLERS);
        }
    }

    /// The size that the terminal should have.
    pub(super) fn wanted_size(&self) -> Size {
        self.viewers.size().unwrap_or_else(|| self.spec().size.into())
    }

    fn fit_size(&mut self, newcomer: Option<ConnId>) {
        let size = self.wanted_size();
        let Some(live) = self.phase.live_mut() else { return };
        if live.screen().size() == (size.rows, size.cols) {
            return;
        }
        live.screen().resize(size.rows, size.cols);
        self.viewers.harness_resized(size, newcomer);
        self.redraw(None);
        let Some(live) = self.phase.live_mut() else { return };
        let link = live.link.clone();
        tokio::spawn(async move {
            if let Err(error) = link.resize(size).await {
                tracing::debug!(%error, "a terminal was not resized");
            }
        });
    }

    async fn explain(
        &self,
        failure: Option<String>,
        reply: Reply<posthouse_protocol::payload::RouteExplainResponse>,
    ) {
        let (answer, answered) = oneshot::channel();
        let command = FailoverCommand::Explain {
            session: self.name().to_owned(),
            route: self.spec().route.clone(),
            mount: self.record.run.as_ref().and_then(|run| run.mount.clone()),
            failure,
            reply: answer,
        };
        let failover = self.house.failover.commands.clone();
        tokio::spawn(async move {
            let none =
                || SessionError::new(ErrorCode::Internal, "explain the route: failover does not answer");
            let explained = match failover.send(command).await {
                Ok(()) => answered.await.map_err(|_| none()),
                Err(_) => Err(none()),
            };
            let _ = reply.send(explained);
        });
    }
}

fn size_of(size: &WindowSize) -> Size {
    Size { rows: size.rows.clamp(2, 1000), cols: size.cols.clamp(2, 1000) }
}

/// Where the last `lines` lines begin.
fn start_of_last(bytes: &[u8], lines: usize) -> usize {
    let ends = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(lines).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_begin_after_a_line_end() {
        let text = b"a\r\nb\r\nc\r\nd";
        assert_eq!(&text[start_of_last(text, 1)..], b"c\r\nd");
        assert_eq!(&text[start_of_last(text, 0)..], b"d");
        assert_eq!(start_of_last(text, 99), 0);
    }
}
