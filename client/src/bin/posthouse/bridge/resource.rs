//! What a client may put before its model without a call: sessions, their screens, the inbox and what happened last.

use posthouse_protocol::Name;
use posthouse_protocol::payload::{Events, Inbox, ListSessions, Screen};
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::Bridge;
use super::link::Trouble;
use super::page;

/// Where all of them begin.
const SCHEME: &str = "posthouse://";
/// The place of a session's screen.
pub(super) const SCREEN: &str = "posthouse://sessions/{name}/screen";
/// The place of a session.
pub(super) const SESSION: &str = "posthouse://sessions/{name}";
/// Events that are read at once.
const EVENTS: u32 = 100;
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// What a place means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Sessions,
    Session(Name),
    Screen(Name),
    Inbox,
    Events,
}

impl Place {
    pub(super) fn of(uri: &str) -> Option<Self> {
        let mut parts = uri.strip_prefix(SCHEME)?.split('/');
        let place = match (parts.next()?, parts.next(), parts.next()) {
            ("sessions", None, None) => Self::Sessions,
            ("sessions", Some(name), None) => Self::Session(Name::parse(name).ok()?),
            ("sessions", Some(name), Some("screen")) => Self::Screen(Name::parse(name).ok()?),
            ("inbox", None, None) => Self::Inbox,
            ("events", None, None) => Self::Events,
            _ => return None,
        };
        parts.next().is_none().then_some(place)
    }
}

impl Bridge {
    /// The places that are always there, and those of each session, page by page. Without a daemon there are no sessions
    /// to list.
    pub(super) async fn resources(&self, after: Option<Name>) -> ListResourcesResult {
        let (names, next) = page::cut(self.session_names().await, after.as_ref());
        let mut listed = if after.is_none() { always() } else { Vec::new() };
        listed.extend(names.into_iter().map(|name| {
            Resource::new(SCREEN.replace("{name}", &name), format!("{name}: screen"))
                .with_description(format!("What {name} shows now"))
                .with_mime_type(TEXT)
        }));
        // Sessions come and go.
        let mut page = ListResourcesResult::with_all_items(listed);
        page.next_cursor = next;
        page.with_ttl_ms(0).with_cache_scope(CacheScope::Private)
    }

    pub(super) fn resource_templates() -> ListResourceTemplatesResult {
        let session = ResourceTemplate::new(SESSION, "session")
            .with_description("One session, with what it is doing and what troubles it")
            .with_mime_type(JSON);
        let screen = ResourceTemplate::new(SCREEN, "screen")
            .with_description("What a session shows now, as text; an agent may look at its own only")
            .with_mime_type(TEXT);
        ListResourceTemplatesResult::with_all_items(vec![session, screen])
    }

    pub(super) async fn resource(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let place = known(uri)?;
        let (text, kind) = match place {
            Place::Screen(name) => (self.screen_text(&name).await.map_err(failed)?, TEXT),
            other => (self.document(other).await.map_err(failed)?.to_string(), JSON),
        };
        let contents = ResourceContents::text(text, uri).with_mime_type(kind);
        Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }

    async fn screen_text(&self, name: &Name) -> Result<String, Trouble> {
        let screen = self.link.ask(&Screen { name: name.as_str().to_owned(), ansi: None }).await?;
        Ok(screen.rows.join("\n"))
    }

    async fn document(&self, place: Place) -> Result<Value, Trouble> {
        Ok(match place {
            Place::Sessions | Place::Screen(_) => shown(&self.link.ask(&ListSessions::default()).await?),
            Place::Session(name) => {
                let one = ListSessions { name: Some(name.as_str().to_owned()) };
                let found = self.link.ask(&one).await?.sessions.into_iter().next();
                let missing = || format!("there is no session named {}", name.as_str());
                shown(&found.ok_or_else(missing)?)
            }
            Place::Inbox => shown(&self.link.ask(&Inbox::default()).await?),
            Place::Events => {
                let newest = Events { tail: Some(true), limit: Some(EVENTS), ..Events::default() };
                shown(&self.link.ask(&newest).await?)
            }
        })
    }

    /// The names of the sessions, none where no daemon answers.
    pub(super) async fn session_names(&self) -> Vec<String> {
        let listed = self.link.ask(&ListSessions::default()).await;
        listed.map_or_else(|_| Vec::new(), |found| found.sessions.into_iter().map(|s| s.name).collect())
    }
}

fn always() -> Vec<Resource> {
    let places = [
        ("sessions", "All sessions", "All sessions, with what each is doing and what troubles it"),
        ("inbox", "Your messages", "The messages that were sent to you, newest last"),
        ("events", "Latest events", "What happened last on this host, as far as you may see it"),
    ];
    places
        .map(|(name, title, what)| {
            Resource::new(format!("{SCHEME}{name}"), name)
                .with_title(title)
                .with_description(what)
                .with_mime_type(JSON)
        })
        .into()
}

/// What an address means, if it means anything.
pub(super) fn known(uri: &str) -> Result<Place, ErrorData> {
    let missing = || format!("there is no resource {uri}; resources/list says which there are");
    Place::of(uri).ok_or_else(|| ErrorData::resource_not_found(missing(), Some(json!({ "uri": uri }))))
}

fn shown<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| json!({ "error": error.to_string() }))
}

fn failed(why: Trouble) -> ErrorData {
    ErrorData::internal_error(why, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_it_says_and_nothing_else() {
        let name = Name::parse("builder").unwrap();
        assert_eq!(Place::of("posthouse://sessions"), Some(Place::Sessions));
        assert_eq!(Place::of("posthouse://sessions/builder"), Some(Place::Session(name.clone())));
        assert_eq!(Place::of(&SCREEN.replace("{name}", "builder")), Some(Place::Screen(name)));
        for other in [
            "posthouse://",
            "posthouse://sessions/",
            "posthouse://sessions/a/b",
            "posthouse://inbox/x",
            "posthouse://sessions/builder/screen/more",
            "file:///etc/passwd",
            "posthouse://sessions/../x",
            "",
        ] {
            assert_eq!(Place::of(other), None, "{other}");
        }
    }
}
