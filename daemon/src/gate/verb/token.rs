//! TOKEN: hands a key out, to the user, and to a session the one that its run is on.

use posthouse_protocol::payload::{Token, TokenResponse};
use posthouse_protocol::{ErrorCode, Violation};
use secrecy::ExposeSecret as _;
use tokio::sync::oneshot;

use super::{Answer, Caller, Verb, going_down, refuse};
use crate::credential::command::{Access, CredentialCommand};
use crate::credential::id::CredentialId;
use crate::principal::Right;
use crate::session::command::{Key, SessionsCommand};

impl Verb for Token {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let Key { credential, secret, .. } = match (self.credential, caller.principal.session()) {
            (None, Some(session)) => own(session.to_owned(), caller).await?,
            (None, None) => {
                return Err(bad("name a credential; only a run that is on one has its own"));
            }
            (Some(name), _) => {
                caller.require(Right::Administer)?;
                let id = name.parse::<CredentialId>().map_err(|e| bad(&e.to_string()))?;
                named(id, caller).await?
            }
        };
        Ok(TokenResponse { credential: credential.to_string(), token: secret.expose_secret().to_owned() })
    }
}

/// The key that the caller's own run is on.
async fn own(session: String, caller: &Caller) -> Result<Key, Violation> {
    caller.ask_sessions(|reply| SessionsCommand::Key { name: session, reply }).await?.map_err(refuse)
}

async fn named(id: CredentialId, caller: &Caller) -> Result<Key, Violation> {
    let (reply, answer) = oneshot::channel();
    let take = CredentialCommand::Take { id: id.clone(), reply };
    caller.house.credentials.0.send(take).await.map_err(|_| going_down())?;
    let taken = answer.await.map_err(|_| going_down())?;
    let taken = taken.map_err(|why| Violation::warning(why.code, format!("failed to {}", why.message)))?;
    match taken.access {
        Access::Key { secret, .. } => Ok(Key { credential: id, renewals: taken.renewals, secret }),
        Access::Home(dir) => Err(bad(&format!(
            "hand out a key: {id} is the login in {}, whose tokens only its harness hands on",
            dir.display()
        ))),
    }
}

fn bad(why: &str) -> Violation {
    Violation::warning(ErrorCode::BadCredential, format!("failed to {why}"))
}
