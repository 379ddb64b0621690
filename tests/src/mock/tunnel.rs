//! The mock as an HTTP proxy: the hosts where logins are refreshed lead to the mock itself, all others nowhere.
//!
//! A harness that is given the mock as its proxy can't reach the internet, and what it tried is in the book.

use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::body::{AnswerBody, whole};

/// Where codex and claude refresh their logins, whatever their base URLs are.
pub(super) const LOGIN_HOSTS: [&str; 2] = ["auth.openai.com", "platform.claude.com"];

/// Opens the tunnel to the mock's HTTPS side for a login host, refuses it for any other.
pub(super) fn open(request: Request<Incoming>, https: SocketAddr) -> Response<AnswerBody> {
    let mut response = Response::new(whole(""));
    if !request.uri().host().is_some_and(|host| LOGIN_HOSTS.contains(&host)) {
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let Ok(mut inner) = TcpStream::connect(https).await else { return };
        // A broken tunnel is the client's to notice.
        let _ = copy_bidirectional(&mut TokioIo::new(upgraded), &mut inner).await;
    });
    response
}
