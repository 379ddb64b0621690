//! The MCP bridge over HTTP, for clients that reach servers in no other way: streamable HTTP before `posthouse mcp`
//! processes, whose lines are handed on as they are. For tests only: Posthouse itself listens on no port.
//!
//! In the era that shakes hands a session has a process. In the present one requests stand alone, so each has a process of
//! its own, and is over when its client goes away.

mod conversation;
mod desk;
mod guard;
mod letter;
mod reply;

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use desk::Desk;

/// A front that listens on loopback.
#[derive(Debug)]
pub struct Front {
    listener: TcpListener,
    address: SocketAddr,
    desk: Arc<Desk>,
}

impl Front {
    /// Takes a port, 0 for any, before bridges that `program` with these arguments starts.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn bind(port: u16, program: OsString, args: Vec<OsString>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, desk: Arc::new(Desk::new(program, args)) })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, desk::PATH)
    }

    /// Answers for ever.
    pub async fn serve(self) {
        while let Ok((stream, _)) = self.listener.accept().await {
            let desk = Arc::clone(&self.desk);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let desk = Arc::clone(&desk);
                    async move { Ok::<_, std::convert::Infallible>(desk.answer(request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                // Clients hang up as they like.
                let _ = connection.await;
            });
        }
    }
}
