//! CREDENTIAL: reads or changes credentials. Secrets only ever travel inwards.

use posthouse_protocol::payload::Credential;

use super::{Answer, Caller, Verb};
use crate::principal::{Kind, Right};

impl Verb for Credential {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        let looks_only = matches!(self, Self::List | Self::Show { .. });
        if !(looks_only && caller.principal.kind == Kind::Observer) {
            caller.require(Right::Credentials)?;
        }
        caller.ask_credentials(self).await
    }
}
