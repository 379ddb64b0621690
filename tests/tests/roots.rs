//! TLS without a file of the host's.

use std::ffi::OsString;
use std::path::PathBuf;

use posthouse_tests::mock::MockProvider;
use posthoused::credential::http::{Http, HttpError, Request};

#[tokio::test]
async fn no_system_ca_bundle_still_does_tls() {
    let mock = MockProvider::start().await.unwrap();
    let url = format!("{}/v1/models", mock.https());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mock.certificate_pem()).unwrap();
    let own = |name: &str| (name == "SSL_CERT_FILE").then(|| OsString::from(file.path()));
    let answer = Http::from_env(own).send(Request::get(&url)).await.unwrap();
    assert_eq!(answer.status, 200);
    // The built-in roots are at work: the handshake gets as far as judging the certificate, and refuses it.
    let built_in = Http::from_env(|_| None);
    let why = built_in.send(Request::get(&url)).await.unwrap_err();
    assert!(matches!(&why, HttpError::Unreached { why, .. } if why.contains("UnknownIssuer")), "{why}");
    // And nothing that is built in could look for the host's.
    let lock = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    for crate_of_the_host in
        ["rustls-native-certs", "rustls-platform-verifier", "openssl-sys", "openssl-probe"]
    {
        assert!(!lock.contains(&format!("name = \"{crate_of_the_host}\"")), "{crate_of_the_host}");
    }
}
