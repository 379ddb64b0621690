//! The task behind a link: orders out, answers to whoever asked, events to the link's owner. It
//! reads on while the owner is slow (answers must not wait for events); the window of each stream
//! bounds what piles up.

use std::collections::HashMap;
use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::backlog::Backlog;
use super::handle::{Order, WINDOW};
use super::{HolderEvent, LinkError};
use crate::holder::run::StreamId;
use crate::holder::wire::{
    Ack, Command, Deframer, ErrorCode, Event, Fault, Follow, Frame, Output, WireError,
};

/// Bytes that may wait for the socket before further orders wait in their queue.
const MAX_UNSENT: usize = 256 << 10;

pub(super) struct Actor {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    deframer: Deframer,
    unsent: BytesMut,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<HolderEvent>,
    backlog: Backlog,
    asked: HashMap<u32, Asked>,
    last_tag: u32,
    streams: HashMap<StreamId, Cursor>,
    collected: bool,
}

struct Asked {
    answer: oneshot::Sender<Result<Event, LinkError>>,
    collect: bool,
}

/// Where a followed stream stands.
struct Cursor {
    /// The next byte expected from the holder.
    next: u64,
    acked: u64,
}

/// What happens next.
enum Next {
    Order(Order),
    /// Every handle is gone.
    Forsaken,
    Wrote(io::Result<usize>),
    /// The owner takes events again.
    Receptive,
    Read(io::Result<usize>),
}

impl Actor {
    pub fn new(
        socket: UnixStream,
        deframer: Deframer,
        orders: mpsc::Receiver<Order>,
        events: mpsc::Sender<HolderEvent>,
    ) -> Self {
        let (reader, writer) = socket.into_split();
        Self {
            reader,
            writer,
            deframer,
            unsent: BytesMut::new(),
            orders,
            events,
            backlog: Backlog::default(),
            asked: HashMap::new(),
            last_tag: 0,
            streams: HashMap::new(),
            collected: false,
        }
    }

    /// Expects the output of streams that are followed from the start.
    pub fn following(mut self, follows: &[Follow]) -> Self {
        for follow in follows {
            self.streams.insert(follow.stream, Cursor { next: follow.from, acked: follow.from });
        }
        self
    }

    pub async fn run(mut self) {
        let Err(why) = self.converse().await else { return };
        // Whoever asked learns first that no answer will come.
        self.asked.clear();
        self.orders.close();
        while self.orders.recv().await.is_some() {}
        while let Some(event) = self.backlog.pop() {
            if self.events.send(event).await.is_err() {
                return;
            }
        }
        if !self.collected {
            let _ = self.events.send(HolderEvent::Lost { why }).await;
        }
    }

    /// `Ok` once the owner has dropped every handle.
    async fn converse(&mut self) -> Result<(), LinkError> {
        self.take_frames()?;
        loop {
            match self.next().await {
                Next::Order(order) => self.send(order)?,
                Next::Forsaken => {
                    self.writer.write_all_buf(&mut self.unsent).await?;
                    return Ok(());
                }
                Next::Wrote(result) => result.map(drop)?,
                Next::Receptive => self.hand_over()?,
                Next::Read(Ok(0)) => return Err(LinkError::Lost),
                Next::Read(result) => {
                    result?;
                    self.take_frames()?;
                }
            }
        }
    }

    /// Each branch may be dropped at any await without losing anything.
    async fn next(&mut self) -> Next {
        tokio::select! {
            biased;
            order = self.orders.recv(), if self.unsent.len() < MAX_UNSENT => {
                order.map_or(Next::Forsaken, Next::Order)
            }
            written = self.writer.write_buf(&mut self.unsent), if !self.unsent.is_empty() => Next::Wrote(written),
            // The permit is not kept: this task is the only sender.
            _ = self.events.reserve(), if !self.backlog.is_empty() => Next::Receptive,
            read = self.reader.read_buf(self.deframer.space()) => Next::Read(read),
        }
    }

    fn send(&mut self, order: Order) -> Result<(), LinkError> {
        let Order { command, answer } = order;
        if let Command::Follow(follow) = &command {
            let cursor = Cursor { next: follow.from, acked: follow.from };
            self.streams.insert(follow.stream, cursor);
        }
        let mut tag = 0;
        if answer.is_some() {
            self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
            tag = self.last_tag;
        }
        match (self.queue(tag, &command), answer) {
            (Ok(()), Some(answer)) => {
                let collect = matches!(command, Command::Collect(()));
                self.asked.insert(tag, Asked { answer, collect });
            }
            (Err(error), Some(answer)) => {
                let _ = answer.send(Err(error.into()));
            }
            (Err(error), None) => tracing::warn!(%error, "a command for a holder was dropped"),
            (Ok(()), None) => {}
        }
        self.try_write()
    }

    fn queue(&mut self, tag: u32, command: &Command) -> Result<(), WireError> {
        let mut frame = Vec::new();
        command.encode(tag, &mut frame)?;
        self.unsent.extend_from_slice(&frame);
        Ok(())
    }

    /// Mostly the socket has room: then nothing waits for another turn of the loop.
    fn try_write(&mut self) -> Result<(), LinkError> {
        match self.writer.try_write(&self.unsent) {
            Ok(count) => self.unsent.advance(count),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }

    fn take_frames(&mut self) -> Result<(), LinkError> {
        while let Some(payload) = self.deframer.next_payload()? {
            match Event::decode(&payload) {
                Ok(frame) => self.take(frame)?,
                Err(WireError::UnknownType { kind, tag }) => match self.asked.remove(&tag) {
                    Some(asked) => drop(asked.answer.send(Err(LinkError::Unexpected { kind }))),
                    None => tracing::debug!(kind, "skipped a message of a newer holder"),
                },
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame<Event>) -> Result<(), LinkError> {
        if let Some(asked) = self.asked.remove(&frame.tag) {
            self.collected |= asked.collect && matches!(frame.message, Event::Done(()));
            let answer = match frame.message {
                Event::Fault(fault) => Err(refused(fault)),
                other => Ok(other),
            };
            // Whoever asked may have stopped waiting.
            let _ = asked.answer.send(answer);
            return Ok(());
        }
        let event = match frame.message {
            Event::Output(output) => return self.take_output(output),
            Event::StreamEnd(end) => HolderEvent::StreamEnd { stream: end.stream, offset: end.offset },
            Event::Operation(operation) => HolderEvent::Progress(operation.report),
            Event::Exited(exited) => HolderEvent::Exited(exited.exit),
            Event::Remains(remains) => HolderEvent::Remains(remains.survivors),
            Event::Gone(()) => HolderEvent::Gone,
            Event::NotGone(remains) => HolderEvent::NotGone(remains.survivors),
            Event::Fault(fault) if fault.fatal => return Err(refused(fault)),
            Event::Fault(Fault { code, text, .. }) => {
                tracing::warn!(?code, text, "a holder refused a command that nobody waits for");
                return Ok(());
            }
            // Answers to questions of nobody.
            Event::Welcome(_) | Event::Done(()) | Event::NotSeen(_) | Event::Status(_) => return Ok(()),
            Event::Started(_) | Event::Failed(_) => return Ok(()),
        };
        self.deliver(event)
    }

    fn take_output(&mut self, output: Output) -> Result<(), LinkError> {
        let Output { stream, offset, bytes } = output;
        let Some(cursor) = self.streams.get_mut(&stream) else { return Ok(()) };
        let expected = std::mem::replace(&mut cursor.next, offset + bytes.len() as u64);
        if offset > expected {
            self.deliver(HolderEvent::Gap { stream, from: expected, to: offset })?;
        }
        self.deliver(HolderEvent::Output { stream, offset, bytes })
    }

    fn deliver(&mut self, event: HolderEvent) -> Result<(), LinkError> {
        if !self.backlog.is_empty() {
            self.backlog.push(event);
            return Ok(());
        }
        self.offer(event)
    }

    fn hand_over(&mut self) -> Result<(), LinkError> {
        self.backlog.pop().map_or(Ok(()), |event| self.offer(event))
    }

    fn offer(&mut self, event: HolderEvent) -> Result<(), LinkError> {
        let taken = end_of(&event);
        match self.events.try_send(event) {
            Err(mpsc::error::TrySendError::Full(event)) => {
                self.backlog.push(event);
                Ok(())
            }
            // An owner that wants no events still gets its commands done.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => self.acknowledge(taken),
        }
    }

    /// Opens a terminal's window again; a pipe's is opened by its owner.
    fn acknowledge(&mut self, taken: Option<(StreamId, u64)>) -> Result<(), LinkError> {
        let Some((StreamId::TERMINAL, upto)) = taken else { return Ok(()) };
        let Some(cursor) = self.streams.get_mut(&StreamId::TERMINAL) else { return Ok(()) };
        if upto.saturating_sub(cursor.acked) >= u64::from(WINDOW / 4) {
            cursor.acked = upto;
            self.queue(0, &Command::Ack(Ack { stream: StreamId::TERMINAL, upto }))?;
            self.try_write()?;
        }
        Ok(())
    }
}

fn end_of(event: &HolderEvent) -> Option<(StreamId, u64)> {
    match event {
        HolderEvent::Output { stream, offset, bytes } => Some((*stream, offset + bytes.len() as u64)),
        _ => None,
    }
}

pub(super) fn refused(fault: Fault) -> LinkError {
    let Fault { code, text, .. } = fault;
    LinkError::Refused { code: ErrorCode::from(u16::from(code)), text }
}
