//! The mock as an HTTP proxy: claude's login host leads to the mock itself, everywhere else leads nowhere.
//!
//! A harness that is given the mock as its proxy can't reach the internet, and what it tried is in the book.

use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::body::{AnswerBody, whole};

/// Where claude refreshes its login, whatever its base URL is.
pub(super) const LOGIN_HOST: &str = "platform.claude.com";

/// Opens the tunnel to the mock's HTTPS side for the login host, refuses it for any other.
pub(super) fn open(request: Request<Incoming>, https: SocketAddr) -> Response<AnswerBody> {
    let mut response = Response::new(whole(""));
    if request.uri().host() != Some(LOGIN_HOST) {
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
