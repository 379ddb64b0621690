//! The mock provider as any HTTP client sees it, with no CLI needed.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use posthouse_tests::mock::{
    AccountToken, Endpoint, MockProvider, Outcome, RefreshFault, Refusal, Scenario, StreamFault, label_of,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const DEADLINE: Duration = Duration::from_secs(10);

/// Sends one request and reads until the server closes; the answer as text, or what came before it broke.
async fn exchange(mock: &MockProvider, head: &str, key: &str, body: &[u8]) -> String {
    let mut stream = connect(mock).await;
    send(&mut stream, head, key, body).await;
    let mut answer = Vec::new();
    // A cut reply ends in an error, which is what some tests are about.
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("an answer in time");
    String::from_utf8(answer).expect("text")
}

async fn connect(mock: &MockProvider) -> TcpStream {
    TcpStream::connect(mock.http().trim_start_matches("http://")).await.expect("the mock listens")
}

async fn send(stream: &mut TcpStream, head: &str, key: &str, body: &[u8]) {
    let head = format!(
        "{head}\r\nhost: mock\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.expect("sent");
}

fn prompt(text: &str) -> Vec<u8> {
    json!({"model": "m", "stream": true, "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]},
    ]})
    .to_string()
    .into_bytes()
}

const RESPONSES: &str = "POST /v1/responses HTTP/1.1";

#[tokio::test]
async fn a_reply_is_streamed_and_entered_in_the_book() {
    let mock = MockProvider::start().await.unwrap();
    let answer = exchange(&mock, RESPONSES, "sk-A", &prompt("a\r\n\tb MOCK:say=hi there")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("event: response.completed") && answer.contains("hi there"), "{answer}");
    let entry = mock.wait_for(DEADLINE, |e| e.outcome == Outcome::Streamed).await.unwrap();
    assert_eq!((entry.credential.as_str(), entry.model.as_str()), ("sk-A", "m"));
    assert_eq!(entry.conversation.newest_user_blocks(), ["a\r\n\tb MOCK:say=hi there"]);
}

#[tokio::test]
async fn a_credential_outranks_the_url_and_plays_its_sequence() {
    let mock = MockProvider::start().await.unwrap();
    mock.set_sequence("sk-A", [Scenario::Refuse(Refusal::Overloaded), Scenario::Ok]);
    let mut statuses = Vec::new();
    for (path, key) in
        [("", "sk-A"), ("", "sk-A"), ("/s/auth_401", "sk-A"), ("/s/auth_401", "sk-B"), ("/s/x", "sk-B")]
    {
        let answer = exchange(&mock, &format!("POST {path}/v1/responses HTTP/1.1"), key, &prompt("x")).await;
        statuses.push(answer[9..12].to_owned());
    }
    assert_eq!(statuses, ["503", "200", "200", "401", "404"]);
}

#[tokio::test]
async fn a_compressed_request_is_read() {
    let mock = MockProvider::start().await.unwrap();
    let plain = prompt("packed");
    let packed =
        ruzstd::encoding::compress_to_vec(plain.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    exchange(&mock, &format!("{RESPONSES}\r\ncontent-encoding: zstd"), "sk-A", &packed).await;
    assert_eq!(mock.turns()[0].times_said("packed"), 1);
}

#[tokio::test]
async fn a_websocket_is_declined_and_no_turn() {
    let mock = MockProvider::start().await.unwrap();
    let head = "GET /backend-api/codex/responses HTTP/1.1\r\nupgrade: websocket";
    assert!(exchange(&mock, head, "sk-A", b"").await.starts_with("HTTP/1.1 426"));
    assert!(mock.turns().is_empty());
    assert_eq!(mock.requests()[0].endpoint, Endpoint::ResponsesUpgrade);
}

#[tokio::test]
async fn broken_streams_break_as_told() {
    let mock = MockProvider::start().await.unwrap();
    mock.set("cut", Scenario::Stream(StreamFault::Cut));
    mock.set("failed", Scenario::Stream(StreamFault::Failed));
    let cut = exchange(&mock, RESPONSES, "cut", &prompt("x")).await;
    assert!(
        cut.contains("output_text.delta") && !cut.contains("completed") && !cut.ends_with("0\r\n\r\n"),
        "{cut}"
    );
    let failed = exchange(&mock, RESPONSES, "failed", &prompt("x")).await;
    assert!(failed.contains("response.failed") && failed.ends_with("0\r\n\r\n"), "{failed}");
}

#[tokio::test]
async fn a_hung_call_is_entered_as_broken_off_once_the_client_leaves() {
    let mock = MockProvider::start().await.unwrap();
    mock.set("sk-A", Scenario::Hang);
    let mut stream = connect(&mock).await;
    send(&mut stream, RESPONSES, "sk-A", &prompt("x")).await;
    let entry = mock.wait_for(DEADLINE, |e| e.is_turn()).await.unwrap();
    assert_eq!(entry.outcome, Outcome::Pending);
    drop(stream);
    mock.wait_for(DEADLINE, |e| e.outcome == Outcome::BrokenOff).await.unwrap();
}

#[tokio::test]
async fn refreshing_keeps_the_account_or_says_why_not() {
    let mock = MockProvider::start().await.unwrap();
    let login = AccountToken::new("acct-A", 1, 1_800_000_000);
    let ask = json!({"grant_type": "refresh_token", "refresh_token": login.openai_refresh()}).to_string();
    let head = "POST /oauth/token HTTP/1.1";
    let answer = exchange(&mock, head, "", ask.as_bytes()).await;
    let (_, granted) = answer.split_once("\r\n\r\n").unwrap();
    let granted: Value = serde_json::from_str(granted).unwrap();
    assert_eq!(label_of(granted["access_token"].as_str().unwrap()), "acct-A");
    assert_ne!(granted["refresh_token"], login.openai_refresh());
    mock.set("acct-A", Scenario::Refresh(RefreshFault::Reused));
    let refused = exchange(&mock, head, "", ask.as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("refresh_token_reused"), "{refused}");
    assert!(mock.requests().iter().all(|e| e.credential == "acct-A"));
}

#[tokio::test]
async fn the_proxy_leads_nowhere_but_to_the_mock() {
    let mock = MockProvider::start().await.unwrap();
    let refused = exchange(&mock, "CONNECT example.com:443 HTTP/1.1", "", b"").await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert_eq!(mock.requests()[0].path, "example.com:443");
    let mut stream = connect(&mock).await;
    send(&mut stream, "CONNECT auth.openai.com:443 HTTP/1.1", "", b"").await;
    let mut answer = [0; 12];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer)).await.expect("in time").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn who_trusts_the_certificate_can_use_https() {
    let mock = MockProvider::start().await.unwrap();
    let body: String = mock.certificate_pem().lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(mock.https().trim_start_matches("https://")).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    stream.write_all(b"GET /v1/models HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}
