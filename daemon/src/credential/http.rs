//! The few requests of the daemon's own: small, with a total deadline, and independent of the host's files.
//!
//! Trusted are the certificate authorities that are built in, so that a bare container without `/etc/ssl` works.
//! `SSL_CERT_FILE` names a PEM file that is trusted *instead*, as with OpenSSL and curl. Proxies are those of the
//! daemon's environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), as for the harnesses.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, watch};
use ureq::Agent;
use ureq::http::{self, HeaderValue, Method};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::skew::Skew;
use crate::failover::observation::Headers;

/// How long a request may take in all, from looking up the name to the end of the body.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Most bytes of an answer's body.
pub const BODY_MAX: u64 = 64 * 1024;
/// Requests that are under way at one time; each has a thread.
const AT_ONCE: usize = 64;
/// The variable that names the roots.
const ROOTS: &str = "SSL_CERT_FILE";

/// Makes requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    agent: Result<Agent, RootsError>,
    roots: Option<PathBuf>,
    slots: Arc<Semaphore>,
    skew: watch::Sender<Option<Skew>>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: Method,
    /// Absolute.
    pub url: String,
    /// Names and values; values may be secret and are never shown.
    pub headers: Vec<(String, SecretString)>,
    /// The body, which may be secret.
    pub body: Option<SecretString>,
    /// How long it may take in all; [`DEADLINE`] unless said otherwise.
    pub deadline: Duration,
}

impl Request {
    /// A `GET` without headers.
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: Method::GET, url: url.into(), headers: Vec::new(), body: None, deadline: DEADLINE }
    }

    /// A `POST` of a JSON document.
    pub fn post_json(url: impl Into<String>, body: impl Into<SecretString>) -> Self {
        Self { method: Method::POST, body: Some(body.into()), ..Self::get(url) }
            .header("content-type", "application/json".to_owned())
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<SecretString>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What came back, whatever its status. Redirects are not followed: they are answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body as text.
    pub body: String,
    /// When the answer was complete, by this host's clock.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
}

/// Why there was no answer; completes "failed to …". Says nothing of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The roots that the user named are of no use.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// What is asked for cannot be.
    #[error("ask {host}: {why}")]
    Request {
        /// The host, as far as the address names one.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// There was no whole answer.
    #[error("reach {host}: {why}")]
    Unreached {
        /// The host.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// The deadline passed.
    #[error("get an answer of {host} within {} s", deadline.as_secs())]
    Late {
        /// The host.
        host: String,
        /// How long was waited.
        deadline: Duration,
    },
}

/// Why the named roots are of no use; completes "failed to …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the certificate authorities in {} (SSL_CERT_FILE): {why}; correct it, or unset SSL_CERT_FILE to use the built-in ones", path.display())]
pub struct RootsError {
    path: PathBuf,
    why: String,
}

impl Http {
    /// Reads `SSL_CERT_FILE`, if it is set. Roots that cannot be read make every request fail by that name.
    pub fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let roots = get(ROOTS).filter(|value| !value.is_empty()).map(PathBuf::from);
        let agent = roots.as_deref().map_or(Ok(RootCerts::WebPki), read_roots).map(agent);
        Self { agent, roots, slots: Arc::new(Semaphore::new(AT_ONCE)), skew: watch::Sender::new(None) }
    }

    /// Where the trusted roots come from, for people.
    ///
    /// # Errors
    /// The user's own cannot be read.
    pub fn roots(&self) -> Result<String, RootsError> {
        self.agent.as_ref().map_err(Clone::clone)?;
        Ok(match &self.roots {
            Some(path) => format!("those in {} (SSL_CERT_FILE)", path.display()),
            None => "the built-in ones (Mozilla's)".to_owned(),
        })
    }

    /// How far this host's clock was from that of whoever answered last; of this and of every clone.
    #[must_use]
    pub fn skew(&self) -> Option<Skew> {
        self.skew.borrow().clone()
    }

    /// Makes one request on a thread for blocking work. Dropping the future leaves the request to its deadline.
    ///
    /// # Errors
    /// No whole answer came in time. A status is never an error.
    pub async fn send(&self, request: Request) -> Result<Answer, HttpError> {
        let agent = self.agent.clone()?;
        let host = host(&request.url);
        let deadline = request.deadline;
        let late = || HttpError::Late { host: host.clone(), deadline };
        let slots = Arc::clone(&self.slots);
        let asked = async {
            // Never closed, so that there always is one in the end.
            let slot = slots.acquire_owned().await;
            let asked = tokio::task::spawn_blocking(move || {
                let _slot = slot;
                ask(&agent, &request)
            });
            asked
                .await
                .unwrap_or_else(|e| Err(HttpError::Unreached { host: host.clone(), why: e.to_string() }))
        };
        // The agent keeps the deadline itself; this one is for what it can't stop, such as looking up a name.
        let answer = tokio::time::timeout(deadline, asked).await.unwrap_or_else(|_| Err(late()))?;
        if let Some(skew) = Skew::of(&host, &answer) {
            self.skew.send_replace(Some(skew));
        }
        Ok(answer)
    }
}

fn read_roots(path: &Path) -> Result<RootCerts, RootsError> {
    let fail = |why: String| RootsError { path: path.to_owned(), why };
    let text = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    let mut roots = Vec::new();
    for item in parse_pem(&text) {
        match item.map_err(|e| fail(e.to_string()))? {
            PemItem::Certificate(root) => roots.push(root),
            _ => continue,
        }
    }
    if roots.is_empty() {
        return Err(fail("it holds no certificate".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&roots))
}

fn agent(roots: RootCerts) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A request is rare, and a kept connection that died would be a failure that means nothing.
        .max_idle_connections(0)
        .user_agent(concat!("posthouse/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build()
        .new_agent()
}

fn ask(agent: &Agent, request: &Request) -> Result<Answer, HttpError> {
    let host = host(&request.url);
    let wrong = |why: &str| HttpError::Request { host: host.clone(), why: why.to_owned() };
    let mut built = http::Request::builder().method(request.method.clone()).uri(&request.url);
    for (name, value) in &request.headers {
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| wrong("the secret has characters that no header can carry"))?;
        value.set_sensitive(true);
        built = built.header(name, value);
    }
    let begun = Instant::now();
    let body = request.body.as_ref().map(|body| body.expose_secret().as_bytes()).unwrap_or_default();
    let built = built.body(body).map_err(|_| wrong("its address is none"))?;
    let timed = agent.configure_request(built).timeout_global(Some(request.deadline)).build();
    let failed = |e: ureq::Error| match e {
        ureq::Error::Timeout(_) => HttpError::Late { host: host.clone(), deadline: request.deadline },
        other => HttpError::Unreached { host: host.clone(), why: other.to_string() },
    };
    let mut response = agent.run(timed).map_err(failed)?;
    let body = response.body_mut().with_config().limit(BODY_MAX).lossy_utf8(true).read_to_string();
    let body = body.map_err(failed)?;
    let headers = response.headers().iter();
    Ok(Answer {
        status: response.status().as_u16(),
        headers: headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect(),
        body,
        at: SystemTime::now(),
        took: begun.elapsed(),
    })
}

/// The host in an address. The rest may hold what nobody is to see.
fn host(url: &str) -> String {
    url.parse::<http::Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned))
        .unwrap_or_else(|| "nowhere".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn plain() -> Http {
        Http::from_env(|_| None)
    }

    /// A server on loopback that gives one answer to one connection.
    fn server(answer: impl FnOnce(&mut std::net::TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            answer(&mut stream);
        });
        format!("http://{at}/x")
    }

    #[tokio::test]
    async fn statuses_and_redirects_are_answers() {
        let url = server(|stream| {
            let head = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nDate: today\r\n";
            write!(stream, "{head}Content-Length: 3\r\n\r\nyes").unwrap();
        });
        let answer = plain().send(Request::get(url)).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (302, "yes"));
        assert_eq!(answer.headers.get("date"), Some("today"));
    }

    #[tokio::test]
    async fn the_clock_of_who_answered_last_is_compared() {
        let url = server(|stream| {
            let head = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
        });
        let http = plain();
        assert_eq!(http.skew(), None);
        http.clone().send(Request::get(url)).await.unwrap();
        let skew = http.skew().unwrap();
        assert!(skew.host == "127.0.0.1" && skew.exceeds(Duration::from_hours(24)), "{skew:?}");
    }

    #[tokio::test]
    async fn who_says_nothing_is_late_and_who_says_too_much_is_cut_off() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let mut request = Request::get(server(move |_| {
            let _ = held.recv();
        }));
        request.deadline = Duration::from_millis(200);
        let late = plain().send(request).await.unwrap_err();
        assert!(matches!(late, HttpError::Late { .. }), "{late}");
        drop(release);
        let url = server(|stream| {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
        });
        let long = plain().send(Request::get(url)).await.unwrap_err();
        assert!(matches!(long, HttpError::Unreached { .. }), "{long}");
    }

    #[tokio::test]
    async fn roots_that_cannot_be_read_are_named() {
        let http = Http::from_env(|name| (name == ROOTS).then(|| "/nonexistent/ca.pem".into()));
        let why = http.send(Request::get("https://127.0.0.1:1/")).await.unwrap_err().to_string();
        assert!(why.contains("/nonexistent/ca.pem") && why.contains("SSL_CERT_FILE"), "{why}");
        assert!(http.roots().is_err());
        let empty = tempfile::NamedTempFile::new().unwrap();
        let http = Http::from_env(|name| (name == ROOTS).then(|| empty.path().into()));
        assert!(http.roots().unwrap_err().to_string().contains("no certificate"));
    }

    #[tokio::test]
    async fn errors_say_nothing_of_what_was_sent() {
        let request = Request::get("http://user:canary@127.0.0.1:1/canary?key=canary")
            .header("authorization", "Bearer canary".to_owned());
        assert!(!format!("{:?}", request.headers).contains("canary"));
        let why = plain().send(request).await.unwrap_err();
        assert!(!format!("{why} {why:?}").contains("canary"), "{why:?}");
        let broken = Request::get("http://127.0.0.1:1/").header("x", "can\nary".to_owned());
        assert!(plain().send(broken).await.unwrap_err().to_string().contains("no header can carry"));
    }
}
