//! `credential check` asks the provider, beside the room: what it says counts, and who does not answer delays nobody.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use posthouse_protocol::payload::{Credential, CredentialInfo, CredentialResponse, CredentialSource};
use posthoused::credential::actor::Actor;
use posthoused::credential::command::{CredentialCommand, CredentialError, Credentials};
use posthoused::credential::state::Proof;
use posthoused::credential::vault::Vault;
use posthoused::harness::catalog::Catalog;
use posthoused::journal::{Journal, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

const SECRET: &str = "sk-canary-77aa01";

struct Room {
    credentials: Credentials,
    _journal: Journal,
}

/// A provider that gives the answers it is told, and reports what it was asked.
async fn provider(answers: Vec<Option<(u16, &'static str)>>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let n = stream.read(&mut head).await.unwrap();
            let _ = tell.send(String::from_utf8_lossy(&head[..n]).into_owned());
            match answer {
                Some((status, body)) => {
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
                None => silent.push(stream),
            }
        }
        std::future::pending::<()>().await;
    });
    (url, asked)
}

impl Room {
    fn open(dir: &Path) -> Self {
        let journal = Journal::open(dir, Options::default()).unwrap();
        let catalog = Arc::new(Catalog::builtin().unwrap());
        let credentials = Actor::start(&[], Vault::new(dir.join("keys")), catalog, journal.writer());
        Self { credentials, _journal: journal }
    }

    async fn begin(
        &self,
        request: Credential,
    ) -> oneshot::Receiver<Result<CredentialResponse, CredentialError>> {
        let (reply, answer) = oneshot::channel();
        let command = CredentialCommand::Request { request, actor: "test".into(), reply };
        self.credentials.0.send(command).await.unwrap();
        answer
    }

    async fn ask(&self, request: Credential) -> CredentialResponse {
        self.begin(request).await.await.unwrap().unwrap()
    }

    async fn add(&self, alias: &str, url: &str) {
        let source = CredentialSource::Key { secret: SECRET.into() };
        let (provider, alias) = ("openai".to_owned(), alias.to_owned());
        self.ask(Credential::Add { provider, alias, source, base_url: Some(url.to_owned()) }).await;
    }

    async fn show(&self, name: &str) -> CredentialInfo {
        self.ask(Credential::Show { name: name.into() }).await.credentials.remove(0)
    }
}

#[tokio::test]
async fn connected_but_revoked() {
    let state = tempfile::tempdir().unwrap();
    let refused = r#"{"error":{"code":"invalid_api_key","message":"Incorrect API key provided: sk-canary"}}"#;
    let (url, mut asked) = provider(vec![Some((200, "{}")), Some((503, "")), Some((401, refused))]).await;
    let room = Room::open(state.path());
    room.add("key", &url).await;
    let id = "openai/key".parse().unwrap();
    let used = CredentialCommand::Prove { id, proof: Proof::Use, at: Timestamp::now() };
    room.credentials.0.send(used).await.unwrap();
    assert_eq!(room.show("openai/key").await.state, "valid");

    let check = || Credential::Check { name: "openai/key".into() };
    let works = room.ask(check()).await;
    assert_eq!((works.credentials[0].state.as_str(), works.credentials[0].generation), ("valid", 0));
    let head = asked.recv().await.unwrap();
    assert!(head.starts_with("GET /v1/models ") && head.contains(&format!("Bearer {SECRET}")), "{head}");
    let broken = room.ask(check()).await;
    assert_eq!(broken.credentials[0].state, "valid", "a provider that is broken says nothing of the key");
    assert!(broken.message.unwrap().contains("503"));
    let dead = room.ask(check()).await;
    assert_eq!((dead.credentials[0].state.as_str(), dead.credentials[0].generation), ("disabled", 1));
    assert!(dead.credentials[0].repair.as_ref().unwrap().contains("credential add openai key"));
    assert!(!format!("{dead:?}").contains(SECRET));
}

#[tokio::test]
async fn one_slow_credential_does_not_delay_others() {
    let state = tempfile::tempdir().unwrap();
    let (silent, mut asked) = provider(vec![None]).await;
    let (swift, _swift_asked) = provider(vec![Some((200, "{}"))]).await;
    let room = Room::open(state.path());
    room.add("slow", &silent).await;
    room.add("swift", &swift).await;
    let slow = room.begin(Credential::Check { name: "openai/slow".into() }).await;
    asked.recv().await.expect("the slow one is being asked");
    let swift = room.ask(Credential::Check { name: "openai/swift".into() }).await;
    assert_eq!(swift.credentials[0].state, "valid");
    assert_eq!(room.show("openai/slow").await.state, "unknown");
    let again =
        room.begin(Credential::Check { name: "openai/slow".into() }).await.await.unwrap().unwrap_err();
    assert!(again.message.contains("being checked already"), "{again}");
    drop(slow);
}

#[tokio::test]
async fn a_provider_out_of_reach_changes_nothing_and_is_named() {
    let state = tempfile::tempdir().unwrap();
    let room = Room::open(state.path());
    // Nobody listens there: the port was this process's a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    room.add("key", &format!("http://127.0.0.1:{port}")).await;
    let answer = room.ask(Credential::Check { name: "openai/key".into() }).await;
    assert_eq!(answer.credentials[0].state, "unknown");
    let message = answer.message.unwrap();
    assert!(message.contains("the probe shows nothing") && message.contains("127.0.0.1"), "{message}");
}
