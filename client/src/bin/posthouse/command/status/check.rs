//! `posthouse status --check`: every login and key is asked about at its provider now, all beside each other.

use posthouse_client::Client;
use posthouse_protocol::payload::{Credential, CredentialInfo};
use tokio::task::JoinSet;

use crate::command::credential;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::login::needs_login;
use crate::{escape, progress, when};

/// A login that ends within this time and that nothing renews is told of, in milliseconds.
const SOON: u64 = 24 * 60 * 60 * 1000;

/// Asks about all of them and says how the worst of them is: needs a login (3), ends soon (9), is out of use (1).
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let mut client = context.connect_running().await?;
    let known = client.call(&Credential::List).await?.credentials;
    let checked = progress::while_waiting("asking the providers", ask(context, &known)).await?;
    if context.json {
        context.print_json(
            &serde_json::json!({ "credentials": checked.iter().map(|c| &c.found).collect::<Vec<_>>() }),
        )?;
    } else {
        let found: Vec<CredentialInfo> = checked.iter().map(|checked| checked.found.clone()).collect();
        credential::print(context, &found)?;
        for said in checked.iter().filter_map(|checked| checked.said.as_deref()) {
            context.print(&escape::line(said))?;
        }
    }
    Ok(worst(checked.iter().map(|checked| &checked.found), when::now_ms()))
}

struct Checked {
    found: CredentialInfo,
    said: Option<String>,
}

/// A connection each: a provider that does not answer holds up nobody else's.
async fn ask(context: &Context, known: &[CredentialInfo]) -> Result<Vec<Checked>, Failure> {
    let mut asking = JoinSet::new();
    for (place, known) in known.iter().cloned().enumerate() {
        let options = context.options()?;
        asking.spawn(async move {
            let name = format!("{}/{}", known.provider, known.alias);
            let asked = async {
                Client::connect(&options).await?.call(&Credential::Check { name: name.clone() }).await
            };
            let checked = match asked.await {
                Ok(answer) => match answer.credentials.into_iter().next() {
                    Some(found) => Checked { found, said: answer.message },
                    None => Checked { found: known, said: answer.message },
                },
                // One that can't be asked about is shown as it was known.
                Err(error) => Checked { found: known, said: Some(format!("{name}: failed to {error}")) },
            };
            (place, checked)
        });
    }
    let mut checked = asking.join_all().await;
    checked.sort_by_key(|(place, _)| *place);
    Ok(checked.into_iter().map(|(_, checked)| checked).collect())
}

fn worst<'a>(found: impl Iterator<Item = &'a CredentialInfo>, now: u64) -> Exit {
    let exit = |one: &CredentialInfo| match one.state.as_str() {
        _ if needs_login(one) => Exit::NeedsLogin,
        _ if ends_soon(one, now) => Exit::EndsSoon,
        "cooling" => Exit::Failed,
        _ => Exit::Done,
    };
    let order = [Exit::NeedsLogin, Exit::EndsSoon, Exit::Failed];
    let exits: Vec<Exit> = found.map(exit).collect();
    order.into_iter().find(|worse| exits.contains(worse)).unwrap_or(Exit::Done)
}

/// Whether its access token ends soon and its harness can't get another one.
fn ends_soon(one: &CredentialInfo, now: u64) -> bool {
    let login = one.login.as_ref().filter(|login| !login.renewable);
    login.and_then(|login| login.expires_at).is_some_and(|at| at < now.saturating_add(SOON))
}

#[cfg(test)]
mod tests {
    use posthouse_protocol::Later;
    use posthouse_protocol::payload::LoginInfo;

    use super::*;

    fn one(state: &str, expires_at: u64, renewable: bool) -> CredentialInfo {
        let text = format!(
            r#"{{"provider":"openai","alias":"work","kind":"home","state":"{state}","generation":1}}"#
        );
        let plain: CredentialInfo = serde_json::from_str(&text).unwrap();
        let login = LoginInfo { expires_at: Some(expires_at), renewable, ..LoginInfo::default() };
        CredentialInfo { login: Later(Some(login)), ..plain }
    }

    #[test]
    fn the_worst_of_them_decides_the_exit_code() {
        let late = 10 * SOON;
        let of = |all: &[CredentialInfo]| worst(all.iter(), SOON);
        assert_eq!(of(&[]), Exit::Done);
        assert_eq!(of(&[one("valid", late, false), one("unknown", 0, true)]), Exit::Done);
        assert_eq!(of(&[one("valid", late, false), one("cooling", late, true)]), Exit::Failed);
        assert_eq!(of(&[one("cooling", late, true), one("valid", SOON + 1, false)]), Exit::EndsSoon);
        assert_eq!(of(&[one("valid", SOON + 1, false), one("needs_login", late, true)]), Exit::NeedsLogin);
    }
}
