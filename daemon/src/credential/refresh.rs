//! Getting a new access token for a login that is Posthouse's own: one made through it, in a home of its making, on which no
//! session runs. Any other login is its harness's to refresh.
//!
//! A refresh token is spent by its use. So there is one who spends it, under a lock that also holds against another daemon;
//! the file is read again once the lock is held, for whoever held it before may have refreshed it; and what was granted is
//! safe on disk before anyone uses it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::grant::Grant;
use super::http::{Http, HttpError, Request};
use super::id::CredentialId;
use super::tokens::{self, Facts, Tokens, TokensError};
use crate::failover::classify::classify;
use crate::failover::failure::{Class, Failure};
use crate::failover::observation::{AuthKind, Channel, Endpoint, Observation};
use crate::harness::login_file::{LoginFile, Renew};
use crate::paths::{PathsError, write_private};

/// How long before its end an access token is replaced: harnesses do it then themselves.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// The lock's file, in the home.
const LOCK: &str = ".posthouse-refresh.lock";
/// How long another one who refreshes is waited for, and how often it is looked.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOKS: Duration = Duration::from_millis(50);

/// A login that is to be refreshed.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// Which credential.
    pub id: CredentialId,
    /// By the rules of which harness an answer is read.
    pub harness: String,
    /// How its file is read.
    pub how: LoginFile,
    /// The home.
    pub home: PathBuf,
}

/// Why there is no new access token; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The login can't be read.
    #[error(transparent)]
    Login(#[from] TokensError),
    /// Nobody knows how to get one for it.
    #[error("refresh the login: {0}")]
    Unable(&'static str),
    /// Somebody else is at it, and stays so.
    #[error("refresh the login: somebody else has been refreshing it for {} s", PATIENCE.as_secs())]
    Busy,
    /// The lock can't be taken.
    #[error("lock {}: {source}", path.display())]
    Lock {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The provider was not reached.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The provider says that the refresh token is of no use any more.
    #[error("refresh the login: {}", .0.class.phrase())]
    Refused(Box<Failure>),
    /// The provider said something else.
    #[error("refresh the login: the token endpoint answered {status}{}", if *.status < 300 { " without a token" } else { "" })]
    Odd {
        /// The status.
        status: u16,
    },
    /// What was granted could not be kept, and is used by nobody.
    #[error("keep the refreshed login: {0}")]
    Keep(#[from] PathsError),
}

/// Whether an access token is over, or about to be.
pub fn is_stale(facts: &Facts, now: Timestamp) -> bool {
    facts.renewable && facts.expires.is_some_and(|ends| ends <= now.saturating_add(AHEAD).unwrap_or(now))
}

impl Lineage {
    /// Returns tokens that are good for a while: those that somebody else got meanwhile, or new ones.
    ///
    /// # Errors
    /// When there are none. The file is then as it was.
    pub async fn refresh(&self, http: &Http) -> Result<Tokens, RefreshError> {
        let renew = self.how.renew.as_ref().ok_or(RefreshError::Unable("its provider's way is not known"))?;
        let lock = self.lock().await?;
        let tokens = self.read().await?;
        if !is_stale(&tokens.facts, Timestamp::now()) {
            return Ok(tokens);
        }
        let refresh = tokens.refresh.as_ref().ok_or(RefreshError::Unable("it holds no refresh token"))?;
        let body = json!({
            "client_id": renew.client_id, "grant_type": "refresh_token", "refresh_token": refresh.expose_secret(),
        });
        let answer = http.send(Request::post_json(&renew.url, body.to_string())).await?;
        let now = Timestamp::now();
        let grant = match answer.status {
            200..=299 => {
                Grant::read(&answer.body, renew).ok_or(RefreshError::Odd { status: answer.status })?
            }
            status => return Err(self.refusal(status, answer.body, now)),
        };
        let (lineage, renew) = (self.clone(), renew.clone());
        let kept = tokio::task::spawn_blocking(move || {
            // Until the file is safe nobody else may read the old one.
            let _lock = lock;
            lineage.keep(&renew, &grant, now)
        });
        kept.await.unwrap_or(Err(RefreshError::Unable("it was interrupted")))?;
        Ok(self.read().await?)
    }

    async fn lock(&self) -> Result<File, RefreshError> {
        let path = self.home.join(LOCK);
        let failed = |source| RefreshError::Lock { path: path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(LOOKS).await,
                Err(TryLockError::WouldBlock) => return Err(RefreshError::Busy),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    async fn read(&self) -> Result<Tokens, TokensError> {
        let (how, home) = (self.how.clone(), self.home.clone());
        let read = tokio::task::spawn_blocking(move || tokens::read(&how, &home));
        read.await.unwrap_or_else(|_| Err(TokensError::NoToken { path: self.path() }))
    }

    fn path(&self) -> PathBuf {
        self.home.join(&self.how.path)
    }

    fn keep(&self, renew: &Renew, grant: &Grant, now: Timestamp) -> Result<(), RefreshError> {
        let path = self.path();
        let mut login = tokens::document(&path)?;
        let put = grant.put(&self.how, renew, &mut login, now);
        put.ok_or_else(|| TokensError::NoToken { path: path.clone() })?;
        let text = serde_json::to_vec_pretty(&login)
            .map_err(|_| RefreshError::Unable("its document can't be written"))?;
        Ok(write_private(Path::new(&path), &text)?)
    }

    /// What a refusal says of the lineage: only words about the refresh token itself end it.
    fn refusal(&self, status: u16, body: String, now: Timestamp) -> RefreshError {
        let mut seen = Observation::new(&self.harness, Channel::Http, body);
        seen.status = Some(status);
        seen.endpoint = Some(Endpoint::Token);
        seen.credential = Some(self.id.clone());
        seen.auth = Some(AuthKind::Oauth);
        seen.observed_at = Some(now);
        let verdict = classify(&seen, now, &TimeZone::system());
        let ends = |failure: &&Failure| {
            failure.class.is_auth()
                && failure.evidence.may_condemn()
                && !matches!(failure.class, Class::ExpiredRefreshable | Class::AuthAmbiguous)
        };
        match verdict.failure().filter(ends) {
            Some(failure) => RefreshError::Refused(Box::new(failure.clone())),
            None => RefreshError::Odd { status },
        }
    }
}
