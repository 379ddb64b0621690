//! Who may ask: a browser on this machine, led here by a foreign page, may not.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// Lets in what names this machine as its `Host` and, where it has one, as its `Origin`.
pub(super) fn admit(headers: &HeaderMap) -> Result<(), String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text(HOST) {
        Some(host) if is_here(host) => {}
        other => return Err(format!("the host {:?} is not this machine", other.unwrap_or_default())),
    }
    match text(ORIGIN) {
        Some(origin) if !origin.split_once("://").is_some_and(|(_, host)| is_here(host)) => {
            Err(format!("the origin {origin:?} is not this machine"))
        }
        _ => Ok(()),
    }
}

fn is_here(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_let_in() {
        let admitted = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            origin.into_iter().for_each(|origin| drop(headers.insert(ORIGIN, origin.parse().unwrap())));
            admit(&headers).is_ok()
        };
        assert!(admitted("localhost:80", None) && admitted("[::1]:80", Some("http://127.0.0.1:80")));
        assert!(admitted("127.0.0.1", Some("https://localhost")));
        for (host, origin) in [
            ("evil.example.com", None),
            ("localhost.example.com:80", None),
            ("localhost:80", Some("http://evil.example.com")),
            ("localhost:80", Some("null")),
            ("", None),
        ] {
            assert!(!admitted(host, origin), "{host} {origin:?}");
        }
        assert!(admit(&HeaderMap::new()).is_err());
    }
}
