//! ATTACH, INPUT, RESIZE, DETACH: a session's terminal at the other end of a connection.
//!
//! These have an order among themselves, so they are handed to the sessions as they come. Only ATTACH is answered, and
//! by the session itself, so that no output overtakes the answer.

use posthouse_protocol::payload::{Attach, Detach, Input, Resize};
use posthouse_protocol::{Frame, FrameType, Violation};
use tokio::sync::oneshot;

use super::{Caller, going_down, refuse};
use crate::principal::Right;
use crate::session::command::SessionsCommand;

pub(super) async fn take(frame: &Frame, caller: &Caller) -> Result<(), Violation> {
    let conn = caller.conn;
    let command = match frame.header.kind {
        FrameType::Attach => return attach(frame.body.decode()?, caller).await,
        FrameType::Input => {
            let Input { name, data } = frame.body.decode()?;
            caller.require(Right::Keys)?;
            SessionsCommand::ViewerInput { conn, name, data: data.0 }
        }
        FrameType::Resize => {
            let Resize { name, size } = frame.body.decode()?;
            SessionsCommand::ViewerResize { conn, name, size }
        }
        _ => {
            let Detach { name, .. } = frame.body.decode()?;
            SessionsCommand::Detach { conn, name: Some(name) }
        }
    };
    caller.house.sessions.0.send(command).await.map_err(|_| going_down())
}

async fn attach(mut attach: Attach, caller: &Caller) -> Result<(), Violation> {
    caller.require_view(&attach.name)?;
    if !caller.principal.may(Right::Keys) {
        attach.read_only = Some(true);
    }
    let (reply, answer) = oneshot::channel();
    let command = SessionsCommand::Attach {
        attach: Box::new(attach),
        request: caller.id.clone(),
        conn: caller.conn,
        outbox: caller.outbox.clone(),
        reply,
    };
    caller.house.sessions.0.send(command).await.map_err(|_| going_down())?;
    let caller = caller.clone();
    tokio::spawn(async move {
        match answer.await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => caller.finish::<Attach>(Err(refuse(why))),
            Err(_) => caller.finish::<Attach>(Err(going_down())),
        }
    });
    Ok(())
}
