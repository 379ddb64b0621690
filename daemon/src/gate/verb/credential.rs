//! CREDENTIAL: reads or changes credentials. Secrets only ever travel inwards.

use posthouse_protocol::Violation;
use posthouse_protocol::payload::Credential;
use tokio::sync::oneshot;

use super::{Answer, Caller, Verb, going_down};
use crate::credential::command::CredentialCommand;
use crate::principal::{Kind, Right};

impl Verb for Credential {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let looks_only = matches!(self, Self::List | Self::Show { .. });
        if !(looks_only && caller.principal.kind == Kind::Observer) {
            caller.require(Right::Credentials)?;
        }
        let (reply, answer) = oneshot::channel();
        let request =
            CredentialCommand::Request { request: self, actor: caller.principal.name.clone(), reply };
        caller.house.credentials.0.send(request).await.map_err(|_| going_down())?;
        let answer = answer.await.map_err(|_| going_down())?;
        answer.map_err(|why| Violation::warning(why.code, format!("failed to {}", why.message)))
    }
}
