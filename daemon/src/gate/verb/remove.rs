//! REMOVE_AGENT: forgets an absent name.

use posthouse_protocol::payload::{RemoveAgent, RemoveAgentResponse};

use super::{Answer, Caller, Verb};
use crate::post::command::PostQuery;
use crate::principal::Right;

impl Verb for RemoveAgent {
    async fn answer(self, caller: &Caller) -> Answer<Self> {
        if self.name != caller.principal.name {
            caller.require(Right::Release)?;
        }
        let name = self.name.clone();
        let outcome = caller.ask_post(|reply| PostQuery::Remove { name, reply }).await?;
        Ok(match outcome {
            Ok(removed) => {
                let message = (!removed).then(|| format!("nobody is called {}", self.name));
                RemoveAgentResponse { success: true, removed, message }
            }
            Err(why) => RemoveAgentResponse { success: false, removed: false, message: Some(why.message) },
        })
    }
}
