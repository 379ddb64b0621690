//! The mock provider as tests hold it: started, told what to do, asked what it saw.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, AuthorityError};
use super::exchange::{Exchange, NothingFitting};
use super::scenario::Scenario;
use super::server::{self, Desk};

/// A running mock provider; it ends when dropped.
pub struct MockProvider {
    desk: Arc<Desk>,
    authority: Authority,
    http: SocketAddr,
    /// Ends the listeners when dropped.
    _listeners: JoinSet<()>,
}

/// Why the mock could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// No loopback port.
    #[error("failed to listen on loopback: {0}")]
    Listen(#[from] std::io::Error),
    /// No certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl MockProvider {
    /// Starts on free loopback ports, inside the current runtime.
    ///
    /// # Errors
    /// When loopback can't be listened on.
    pub async fn start() -> Result<Self, MockError> {
        Self::start_on(0, 0).await
    }

    /// Starts on these loopback ports; 0 means any.
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn start_on(http_port: u16, https_port: u16) -> Result<Self, MockError> {
        let authority = Authority::new()?;
        let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, http_port)).await?;
        let secure = TcpListener::bind((Ipv4Addr::LOCALHOST, https_port)).await?;
        let http = plain.local_addr()?;
        let desk = Arc::new(Desk {
            book: Arc::default(),
            scenarios: Mutex::default(),
            https: secure.local_addr()?,
            approved: Mutex::default(),
            generation: AtomicU32::new(2),
        });
        let mut listeners = JoinSet::new();
        listeners.spawn(server::listen(plain, None, Arc::clone(&desk)));
        let tls = TlsAcceptor::from(authority.server());
        listeners.spawn(server::listen(secure, Some(tls), Arc::clone(&desk)));
        Ok(Self { desk, authority, http, _listeners: listeners })
    }

    /// From now on, calls under this credential get this scenario; it outranks the one in the URL.
    ///
    /// A credential is named by its label: the API key itself, or the account inside a made-up token.
    pub fn set(&self, credential: &str, scenario: Scenario) {
        self.set_sequence(credential, [scenario]);
    }

    /// From now on, model calls under this credential get these scenarios one after the other; the last one stays.
    pub fn set_sequence(&self, credential: &str, scenarios: impl IntoIterator<Item = Scenario>) {
        let planned: VecDeque<_> = scenarios.into_iter().collect();
        let mut all = self.desk.scenarios.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(credential.to_owned(), planned);
    }

    /// A person types the device code in, logged in as this account.
    pub fn approve_device(&self, account: &str) {
        *self.desk.approved.lock().unwrap_or_else(PoisonError::into_inner) = Some(account.to_owned());
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<Exchange> {
        self.desk.book.entries()
    }

    /// Every model call made for the user so far, oldest first: no titles, no token counts, no refreshes.
    pub fn turns(&self) -> Vec<Exchange> {
        self.requests().into_iter().filter(Exchange::is_turn).collect()
    }

    /// Waits until a request fits and returns the first that does.
    ///
    /// # Errors
    /// With a summary of the book, when `deadline` has passed.
    pub async fn wait_for(
        &self,
        deadline: Duration,
        fits: impl Fn(&Exchange) -> bool,
    ) -> Result<Exchange, NothingFitting> {
        self.desk.book.wait_for(deadline, fits).await
    }

    /// The root of the HTTP side, without a slash at the end; doubles as the URL of the proxy.
    pub fn http(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The root of the HTTPS side, without a slash at the end.
    pub fn https(&self) -> String {
        format!("https://{}", self.desk.https)
    }

    /// The certificate that clients of the HTTPS side must trust, in PEM.
    pub fn certificate_pem(&self) -> &str {
        self.authority.certificate_pem()
    }
}
