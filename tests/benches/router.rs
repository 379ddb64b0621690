//! The baseline: a router on tokio that does nothing but read a frame and forward it. Frames have the length of the
//! protocol; the first one of a connection is its name, every other one begins with the length of the recipient's name
//! and that name, `*` for everyone else. It runs as a process of its own: `posthouse-bench router SOCKET`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::IoSlice;
use std::path::Path;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use posthouse_protocol::codec;
use tokio::io::AsyncReadExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// Frames written with one system call.
const SLICES: usize = 64;
const MAX_FRAME: usize = 1 << 20;

type Names = Rc<RefCell<HashMap<Bytes, mpsc::UnboundedSender<Bytes>>>>;

/// Serves until it is killed.
pub fn serve(socket: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = UnixListener::bind(socket).unwrap();
        let names = Names::default();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(connection(stream, names.clone()));
        }
    });
}

async fn connection(stream: UnixStream, names: Names) {
    let (mut reader, writer) = stream.into_split();
    let mut buffer = BytesMut::new();
    let Some(name) = next(&mut reader, &mut buffer).await else { return };
    let (sender, frames) = mpsc::unbounded_channel();
    // Connected and known: what WELCOME says.
    let _ = sender.send(Bytes::from_static(&[0, 0, 0, 0]));
    names.borrow_mut().insert(name.slice(codec::PREFIX..), sender);
    tokio::task::spawn_local(write(writer, frames));
    while let Some(frame) = next(&mut reader, &mut buffer).await {
        let length = usize::from(frame[codec::PREFIX]);
        let to = frame.slice(codec::PREFIX + 1..codec::PREFIX + 1 + length);
        let names = names.borrow();
        if to.as_ref() == b"*" {
            let mine = name.slice(codec::PREFIX..);
            for (_, others) in names.iter().filter(|(other, _)| **other != mine) {
                let _ = others.send(frame.clone());
            }
        } else if let Some(recipient) = names.get(&to) {
            let _ = recipient.send(frame);
        }
    }
    names.borrow_mut().remove(&name.slice(codec::PREFIX..));
}

/// The next frame with its length.
async fn next(reader: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Option<Bytes> {
    loop {
        if let Some(prefix) = buffer.first_chunk::<4>() {
            let length = u32::from_be_bytes(*prefix) as usize;
            if length > MAX_FRAME {
                return None;
            }
            if buffer.len() >= codec::PREFIX + length {
                return Some(buffer.split_to(codec::PREFIX + length).freeze());
            }
        }
        buffer.reserve(64 << 10);
        if reader.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

async fn write(writer: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Bytes>) {
    let mut batch = Vec::new();
    while frames.recv_many(&mut batch, SLICES).await > 0 {
        while !batch.is_empty() {
            let slices: Vec<IoSlice<'_>> = batch.iter().map(|frame| IoSlice::new(frame)).collect();
            let mut written = match writer.try_write_vectored(&slices) {
                Ok(written) => written,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    if writer.writable().await.is_err() {
                        return;
                    }
                    continue;
                }
                Err(_) => return,
            };
            let whole = batch
                .iter()
                .take_while(|frame| {
                    let fits = frame.len() <= written;
                    written -= if fits { frame.len() } else { 0 };
                    fits
                })
                .count();
            batch.drain(..whole);
            if let Some(first) = batch.first_mut() {
                first.advance(written);
            }
        }
    }
}
