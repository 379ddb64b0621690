//! The key of a run whose harness asks for it. One that asks again was refused what it had: its provider is asked about
//! that key, and another one takes its place where the harness can go on with it in the same run.

use posthouse_protocol::payload::Credential;
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{Actor, words};
use crate::credential::command::{Access, CredentialCommand, Taken};
use crate::credential::id::CredentialId;
use crate::failover::command::{FailoverCommand, FailureReport, KeyAnswer, KeyRequest};
use crate::failover::decide::Move;
use crate::failover::ledger::Scene;
use crate::failover::observation::{Channel, Observation};
use crate::failover::route::Mount;
use crate::harness::definition::KeyUse;
use crate::session::command::Key;

/// A key as a run would use it.
struct Fit {
    secret: SecretString,
    base_url: Option<String>,
    renewals: u64,
}

impl Actor {
    /// A harness asks for its key. Whoever asks again is answered once the provider has said what it thinks of the first.
    pub(super) async fn key(&mut self, request: KeyRequest, reply: oneshot::Sender<KeyAnswer>) {
        if !request.again {
            let _ = reply.send(self.same(&request.mount).await);
            return;
        }
        let (credentials, desk) = (self.credentials.clone(), self.desk.clone());
        tokio::spawn(async move {
            let (answer, answered) = oneshot::channel();
            let check = Credential::Check { name: request.mount.credential.to_string() };
            let ask = CredentialCommand::Request { request: check, actor: "daemon".into(), reply: answer };
            if credentials.0.send(ask).await.is_ok() {
                // What it showed is in the pool by now; why it showed nothing does not matter here.
                let _ = answered.await;
            }
            if let Some(desk) = desk.upgrade() {
                let _ = desk.send(FailoverCommand::KeyAfterCheck { request: Box::new(request), reply }).await;
            }
        });
    }

    /// The same key if it is not known to be out of use, else one that can take its place. Where none can, the session is
    /// told at once what follows: a harness may go on trying a dead key for minutes.
    pub(super) async fn key_after_check(&mut self, request: &KeyRequest) -> KeyAnswer {
        let pool = self.pool().await;
        let now = self.clock.now();
        let known = pool.credentials.get(&request.mount.credential).map(|known| &known.status.state);
        let why = known.filter(|state| !state.is_usable(now)).and_then(|state| state.why().cloned());
        let (Some(why), Some(route)) = (why, &request.route) else {
            let same = self.same(&request.mount).await;
            if let KeyAnswer::Same(key) = &same {
                // It may have been made anew: what fails from now on fails with that one.
                self.runs_on(&request.session, &key.credential, key.renewals).await;
            }
            return same;
        };
        let route = self.current(route);
        let zone = self.zone.clone();
        let scene =
            Scene { session: &request.session, route: &route, mount: &request.mount, now, zone: &zone };
        let told = self.ledger.refused(scene, why.class, &pool);
        let report = FailureReport {
            session: request.session.clone(),
            route: Some(route.clone()),
            mount: Some(request.mount.clone()),
            run: request.run.clone(),
            observation: Observation::new(&request.mount.harness, Channel::Probe, ""),
        };
        self.decision(&report, &words(&told), Some(&told)).await;
        self.charge(&told, &pool).await;
        if let Some(to) = leads_to(&told.decision.action)
            && let Some(fit) = self.fit(&request.mount, to).await
        {
            self.leave(&request.session).await;
            self.runs_on(&request.session, &to.credential, fit.renewals).await;
            let key = Key { credential: to.credential.clone(), renewals: fit.renewals, secret: fit.secret };
            return KeyAnswer::Other { key, mount: to.clone(), trouble: self.trouble(&told) };
        }
        KeyAnswer::None {
            why: format!(
                "hand out a key: {} is out of use, {}",
                request.mount.credential,
                why.class.phrase()
            ),
            then: Some(self.follow(&request.session, &route, &told, now).await),
        }
    }

    async fn same(&self, mount: &Mount) -> KeyAnswer {
        match self.taken(&mount.credential).await {
            Ok(Taken { access: Access::Key { secret, .. }, renewals }) => {
                KeyAnswer::Same(Key { credential: mount.credential.clone(), renewals, secret })
            }
            Ok(Taken { access: Access::Home(dir), .. }) => KeyAnswer::none(format!(
                "hand out a key: {} is the login in {}, whose tokens only its harness hands on",
                mount.credential,
                dir.display()
            )),
            Err(why) => KeyAnswer::none(why),
        }
    }

    /// The key of `to`, if a run on `from` can go on with it: the same program asks for it in the same way, with the same
    /// model, at the same endpoint.
    async fn fit(&self, from: &Mount, to: &Mount) -> Option<Fit> {
        if to.harness != from.harness || to.model != from.model {
            return None;
        }
        let definition = self.catalog.get(&to.harness).ok()?;
        let key = async |id: &CredentialId| match self.taken(id).await.ok()? {
            Taken { access: Access::Key { secret, base_url, .. }, renewals } => {
                Some(Fit { secret, base_url, renewals })
            }
            Taken { access: Access::Home(_), .. } => None,
        };
        let (old, new) = (key(&from.credential).await?, key(&to.credential).await?);
        let asks = |how: &KeyUse| !how.asks.is_empty();
        let fits = old.base_url == new.base_url
            && definition.credential.key_use(&new.secret).is_some_and(asks)
            && definition.credential.key_use(&old.secret).is_some_and(asks);
        fits.then_some(new)
    }
}

fn leads_to(action: &Move) -> Option<&Mount> {
    match action {
        Move::Rotate { to } | Move::NextMount { to } => Some(to),
        _ => None,
    }
}
