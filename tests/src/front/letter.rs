//! A message that was posted: of which era it is, what kind of message, and whether its headers say the same.

use hyper::HeaderMap;
use serde_json::Value;

/// The revision since which requests stand alone.
pub(super) const PRESENT: &str = "2026-07-28";
/// What each request of that revision must bring along in `_meta`.
const NEEDED: [&str; 2] =
    ["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"];

/// A message with the revision that its headers name.
#[derive(Debug)]
pub(super) struct Letter {
    pub message: Value,
    version: Option<String>,
    method: Option<String>,
    name: Option<String>,
}

impl Letter {
    pub(super) fn new(headers: &HeaderMap, message: Value) -> Self {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim().to_owned());
        Self {
            message,
            version: text("mcp-protocol-version"),
            method: text("mcp-method"),
            name: text("mcp-name"),
        }
    }

    /// The id, where it is a request.
    pub(super) fn asks(&self) -> Option<&Value> {
        self.message.get("method")?;
        self.message.get("id").filter(|id| !id.is_null())
    }

    pub(super) fn is(&self, method: &str) -> bool {
        self.message["method"] == method
    }

    /// Whether it stands alone. Revisions are named by their days.
    pub(super) fn stands_alone(&self) -> bool {
        let header = self.version.as_deref().is_some_and(|version| version >= PRESENT);
        header || !self.meta(NEEDED[0]).is_null()
    }

    /// What a request that stands alone lacks.
    pub(super) fn lacks_meta(&self) -> bool {
        NEEDED.iter().any(|key| self.meta(key).is_null())
    }

    /// Where headers and body of a request that stands alone contradict each other.
    pub(super) fn contradiction(&self) -> Option<String> {
        let said = self.meta(NEEDED[0]).as_str();
        if said.is_some() && said != self.version.as_deref() {
            return Some("MCP-Protocol-Version is not the body's protocolVersion".to_owned());
        }
        if self.method.as_deref() != self.message["method"].as_str() {
            return Some("Mcp-Method is not the body's method".to_owned());
        }
        let params = &self.message["params"];
        let named = ["tools/call", "prompts/get", "resources/read"].iter().any(|method| self.is(method));
        let name = params["name"].as_str().or(params["uri"].as_str());
        (named && self.name.as_deref() != name).then(|| "Mcp-Name is not the body's name".to_owned())
    }

    fn meta(&self, key: &str) -> &Value {
        &self.message["params"]["_meta"][key]
    }
}

/// Whether this is the answer to a request, and not a word in between.
pub(super) fn is_answer(message: &Value) -> bool {
    message.get("method").is_none() && message.get("id").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_letter_is_of_the_era_that_it_names_and_contradicts_itself_nowhere() {
        let letter = |headers: &[(&'static str, &str)], message: Value| {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, value.parse().unwrap())).collect();
            let headers = headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value)).collect();
            Letter::new(&headers, message)
        };
        let meta = json!({ NEEDED[0]: PRESENT, NEEDED[1]: {} });
        let call = json!({ "id": 1, "method": "tools/call", "params": { "name": "send", "_meta": meta } });
        let version = ("mcp-protocol-version", PRESENT);
        let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", " send "));
        let whole = letter(&[version, method, name], call.clone());
        assert!(whole.stands_alone() && !whole.lacks_meta() && whole.asks().is_some());
        assert_eq!(whole.contradiction(), None);
        for headers in [vec![version, method], vec![version, name], vec![method, name]] {
            assert!(letter(&headers, call.clone()).contradiction().is_some(), "{headers:?}");
        }
        let old = letter(&[("mcp-protocol-version", "2025-11-25")], json!({ "method": "ping", "id": 1 }));
        assert!(!old.stands_alone());
        let bare = letter(&[version], json!({ "method": "server/discover", "id": 1 }));
        assert!(bare.stands_alone() && bare.lacks_meta());
    }
}
