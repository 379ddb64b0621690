//! A certificate authority made for one test, and the server certificate it signs.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::tunnel::LOGIN_HOSTS;

/// The names the server certificate is good for, besides the hosts that the tunnel leads to.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// A self-made authority with one server certificate.
pub struct Authority {
    certificate: String,
    server: Arc<ServerConfig>,
}

/// Why no authority could be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Making keys or certificates failed.
    #[error("failed to make certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the certificate.
    #[error("failed to set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

impl Authority {
    /// Makes a new authority and signs a server certificate.
    ///
    /// # Errors
    /// When the cryptography library refuses, which no input can cause.
    pub fn new() -> Result<Self, AuthorityError> {
        let mut own = CertificateParams::new(Vec::new())?;
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.distinguished_name.push(DnType::CommonName, "posthouse mock provider");
        let authority = CertifiedIssuer::self_signed(own, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names: Vec<_> = LOOPBACK.into_iter().chain(LOGIN_HOSTS).map(str::to_owned).collect();
        let leaf = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        Ok(Self { certificate: authority.pem(), server: Arc::new(server) })
    }

    /// The authority's certificate, as clients want it in a file.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}
