//! Which certificate authorities the daemon's own requests trust.

use super::finding::Finding;
use crate::credential::http::Http;

/// Says where they come from, or why they are of no use.
pub(super) fn look(http: &Http) -> Finding {
    match http.roots() {
        Ok(whence) => Finding::Good(format!("certificate authorities are {whence}")),
        Err(error) => Finding::bad(
            format!("no probe can be made: failed to {error}"),
            Some("posthouse down && unset SSL_CERT_FILE && posthouse up".to_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_cannot_be_read_fail_with_what_to_do() {
        assert!(matches!(look(&Http::from_env(|_| None)), Finding::Good(_)));
        let Finding::Bad { detail, fix } = look(&Http::from_env(|_| Some("/none/ca.pem".into()))) else {
            panic!("nothing can be trusted");
        };
        assert!(detail.contains("/none/ca.pem") && fix.is_some(), "{detail}");
    }
}
