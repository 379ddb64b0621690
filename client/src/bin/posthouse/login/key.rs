//! Storing a key: read where no other process can see it, and proven before it takes the place of the old one.

use std::io::Read;

use posthouse_client::Client;
use posthouse_protocol::payload::{Credential, CredentialInfo, CredentialSource};

use super::prove;
use crate::exit::{Exit, Failure};

/// Most bytes of a key.
const LONGEST: u64 = 64 * 1024;

/// Reads a key from standard input.
pub fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
    read.map_err(|e| Failure::new(Exit::Usage, format!("read the key from standard input: {e}")))?;
    checked(text)
}

/// A key without its line end. Anything else in it that no header would carry is a mistake.
pub fn checked(text: String) -> Result<String, Failure> {
    let key = text.strip_suffix('\n').map(|s| s.strip_suffix('\r').unwrap_or(s)).unwrap_or(&text);
    if key.is_empty() || key.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let why = "take the key: it is empty or holds white space or control characters";
        return Err(Failure::new(Exit::Usage, why));
    }
    Ok(key.to_owned())
}

/// Stores a key under this name. Where there is a key already it stays until the provider took the new one.
pub async fn store(
    client: &mut Client,
    provider: &str,
    alias: &str,
    secret: String,
) -> Result<CredentialInfo, Failure> {
    let name = format!("{provider}/{alias}");
    let listed = client.call(&Credential::List).await?.credentials;
    let old = listed
        .into_iter()
        .find(|known| known.alias == alias && known.kind == "key" && known.provider == provider);
    let add = |alias: String, base_url: Option<String>| Credential::Add {
        provider: provider.to_owned(),
        alias,
        source: CredentialSource::Key { secret: secret.clone() },
        base_url,
    };
    let Some(old) = old else {
        client.call(&add(alias.to_owned(), None)).await?;
        return prove(client, &name).await;
    };
    // A name that nobody has: it is gone again at the end.
    let candidate = format!("trial-{}", uuid::Uuid::now_v7().simple());
    client.call(&add(candidate.clone(), old.base_url.clone())).await?;
    let proven = prove(client, &format!("{provider}/{candidate}")).await;
    client.call(&Credential::Remove { name: format!("{provider}/{candidate}") }).await?;
    if let Err(failure) = proven {
        let message = format!("{}; {name} keeps the key that it had", failure.message);
        return Err(Failure { message, ..failure });
    }
    client.call(&add(alias.to_owned(), old.base_url)).await?;
    prove(client, &name).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_taken_off_and_nothing_else_is_let_in() {
        let read = |text: &str| checked(text.to_owned()).ok();
        assert_eq!(read("sk-'\"`$x\r\n").as_deref(), Some("sk-'\"`$x"));
        for wrong in ["", "\n", "a\n\n", "a b", "a\rb", "a\u{0}b"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
