//! One CHECK on its way: reads the login or takes the key, asks the provider, and says what that showed. Runs beside the
//! room and knows nothing of it.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::http::{Http, Request};
use super::id::CredentialId;
use super::probe::{self, Outcome};
use super::refresh::{Lineage, RefreshError, is_stale};
use super::tokens::{self, TokensError};
use crate::harness::login_file::LoginFile;

/// What is to be asked, and of whom.
#[derive(Debug)]
pub struct Errand {
    /// Which credential.
    pub id: CredentialId,
    /// The harness by whose rules the answer is read.
    pub harness: String,
    /// What is asked.
    pub target: Target,
}

/// What is asked.
#[derive(Debug)]
pub enum Target {
    /// Whether a key is taken.
    Key(Request),
    /// Whether the login in a home works.
    Login {
        /// Where its file is and how it is read.
        how: Box<LoginFile>,
        /// The home.
        home: PathBuf,
        /// The same as a login that Posthouse may refresh.
        own: Option<Box<Lineage>>,
    },
}

impl Errand {
    /// Does it; at most a deadline of [`Http`] and the patience for a file that is being written.
    pub async fn run(self, http: &Http) -> Outcome {
        match self.target {
            Target::Key(request) => {
                let answer = http.send(request).await;
                probe::judge(&self.harness, &self.id, answer, Timestamp::now(), &TimeZone::system())
            }
            Target::Login { how, home, own } => {
                let reading = tokio::task::spawn_blocking(move || (tokens::read(&how, &home), how));
                let Ok((read, how)) = reading.await else {
                    return Outcome::Unsure("its login was not read".to_owned());
                };
                let tokens = match read {
                    Ok(tokens) => tokens,
                    Err(error @ TokensError::Missing { .. }) => return Outcome::Absent(error.to_string()),
                    Err(error) => return Outcome::Unsure(format!("failed to {error}")),
                };
                let tokens = match own.filter(|_| is_stale(&tokens.facts, Timestamp::now())) {
                    None => tokens,
                    Some(lineage) => match lineage.refresh(http).await {
                        Ok(tokens) => tokens,
                        Err(RefreshError::Refused(failure)) => return Outcome::Refused(*failure),
                        Err(error) => return Outcome::Unsure(format!("failed to {error}")),
                    },
                };
                if let Some(why) = probe::not_worth_asking(&tokens.facts, Timestamp::now()) {
                    return Outcome::Unsure(why);
                }
                let Some(asks) = &how.probe else {
                    return Outcome::Unsure("its provider has nothing that could be asked".to_owned());
                };
                let request = probe::request(asks, &tokens.access, None, tokens.account_id.as_deref());
                let answer = http.send(request).await;
                let now = Timestamp::now();
                probe::judge_login(&self.harness, &self.id, &tokens.facts, answer, now, &TimeZone::system())
            }
        }
    }
}
