//! `credential check` asks the provider, beside the room: what it says counts, and who does not answer delays nobody.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use posthouse_protocol::payload::{Credential, CredentialInfo, CredentialResponse, CredentialSource};
use posthoused::credential::actor::Actor;
use posthoused::credential::command::{CredentialCommand, CredentialError, Credentials};
use posthoused::credential::http::Http;
use posthoused::credential::state::Proof;
use posthoused::credential::vault::Vault;
use posthoused::harness::catalog::Catalog;
use posthoused::journal::{Journal, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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
            let (stream, head) = heard(&listener).await;
            let _ = tell.send(head);
            match answer {
                Some((status, body)) => say(stream, status, body).await,
                None => silent.push(stream),
            }
        }
        std::future::pending::<()>().await;
    });
    (url, asked)
}

/// A provider that answers each request when it is told how.
async fn patient() -> (String, mpsc::UnboundedReceiver<String>, mpsc::UnboundedSender<(u16, &'static str)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::unbounded_channel();
    let (answers, mut told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, head) = heard(&listener).await;
            let _ = tell.send(head);
            let Some((status, body)) = told.recv().await else { return };
            say(stream, status, body).await;
        }
    });
    (url, asked, answers)
}

async fn heard(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = vec![0; 4096];
    let n = stream.read(&mut head).await.unwrap();
    (stream, String::from_utf8_lossy(&head[..n]).into_owned())
}

async fn say(mut stream: TcpStream, status: u16, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
}

impl Room {
    fn open(dir: &Path) -> Self {
        // Nothing here may ever ask a provider outside of this machine.
        Self::open_at(dir, "http://127.0.0.1:9")
    }

    /// A room in which logins of codex are asked about at `url`.
    fn open_at(dir: &Path, url: &str) -> Self {
        let journal = Journal::open(dir, Options::default()).unwrap();
        let mut catalog = Catalog::builtin().unwrap();
        let here = format!("name=\"codex\"\nextends=\"codex\"\n[credential.login.probe]\nbase_url={url:?}");
        catalog.add("codex.toml", &here).unwrap();
        let catalog = Arc::new(catalog);
        let credentials = Actor::start(
            &[],
            Vault::new(dir.join("keys")),
            catalog,
            journal.writer(),
            Http::from_env(|_| None),
        );
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
    assert!(dead.credentials[0].repair.as_ref().unwrap().contains("posthouse login openai/key --from-stdin"));
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
    drop(slow);
}

#[tokio::test]
async fn whoever_asks_meanwhile_gets_the_same_answer() {
    let state = tempfile::tempdir().unwrap();
    let (url, mut asked, answers) = patient().await;
    let room = Room::open(state.path());
    room.add("key", &url).await;
    let check = || Credential::Check { name: "openai/key".into() };
    let first = room.begin(check()).await;
    asked.recv().await.expect("it is being asked");
    let second = room.begin(check()).await;
    // Both are waiting: what was sent before this was taken before this.
    room.show("openai/key").await;
    answers.send((200, "{}")).unwrap();
    for answer in [first, second] {
        assert_eq!(answer.await.unwrap().unwrap().credentials[0].state, "valid");
    }
    assert!(asked.try_recv().is_err(), "one request was enough");
}

#[tokio::test]
async fn a_401_about_a_login_that_was_renewed_meanwhile_says_nothing_of_the_new_one() {
    let state = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (url, mut asked, answers) = patient().await;
    let room = Room::open_at(state.path(), &url);
    let login = |access: &str| {
        let text =
            format!(r#"{{"tokens":{{"access_token":"{access}","account_id":"a","refresh_token":"r"}}}}"#);
        std::fs::write(home.path().join("new"), text).unwrap();
        std::fs::rename(home.path().join("new"), home.path().join("auth.json")).unwrap();
    };
    login("old-canary");
    let source = CredentialSource::Home { dir: home.path().display().to_string() };
    let (provider, alias) = ("openai".to_owned(), "work".to_owned());
    room.ask(Credential::Add { provider, alias, source, base_url: None }).await;

    let checked = room.begin(Credential::Check { name: "openai/work".into() }).await;
    assert!(asked.recv().await.unwrap().contains("Bearer old-canary"));
    login("new-canary");
    answers.send((401, r#"{"error":{"code":"token_invalidated"}}"#)).unwrap();
    let head = asked.recv().await.unwrap();
    assert!(head.contains("Bearer new-canary"), "the new one is asked about: {head}");
    answers.send((200, "{}")).unwrap();
    let checked = checked.await.unwrap().unwrap();
    assert_eq!(checked.credentials[0].state, "valid", "{checked:?}");
    assert!(!format!("{checked:?}").contains("canary"));
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
