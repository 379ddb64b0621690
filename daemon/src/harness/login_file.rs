//! What a harness's definition says of the file that holds its login: where in it the tokens are, whose they are, and
//! how the provider is asked about them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::definition::Probe;

/// Keys from the top of a JSON document down to a value. A string on the way that is a JSON web token stands for its
/// claims, so that `["id_token", "email"]` leads into one.
pub type Place = Vec<String>;

/// The file. Of several places the first that is there counts: harnesses have nested and flat forms of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginFile {
    /// Its path, relative to the home.
    pub path: PathBuf,
    /// The access token.
    pub access: Vec<Place>,
    /// The refresh token. Its harness spends it, or Posthouse does for a login of its own.
    #[serde(default)]
    pub refresh: Vec<Place>,
    /// When the access token ends: seconds or milliseconds since 1970, or RFC 3339. What the provider signed goes first.
    #[serde(default)]
    pub expires: Vec<Place>,
    /// The account's id.
    #[serde(default)]
    pub account: Vec<Place>,
    /// The account's name for people, such as an address.
    #[serde(default)]
    pub name: Vec<Place>,
    /// The plan.
    #[serde(default)]
    pub plan: Vec<Place>,
    /// Another file of the home that is looked into for `account` and `name`, where the login itself does not say.
    #[serde(default)]
    pub whose: Option<PathBuf>,
    /// How the provider is asked whether the access token works; `{secret}` and `{account}` are filled in.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// How a new access token is got for the refresh token.
    #[serde(default)]
    pub renew: Option<Renew>,
}

/// How the provider gives a new access token: the harness's own request, in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The token endpoint.
    pub url: String,
    /// The harness's public client id.
    pub client_id: String,
    /// What else of the answer is kept in the file, and where; the first place whose surroundings are there.
    #[serde(default)]
    pub beside: BTreeMap<String, Vec<Place>>,
    /// Where the time of it is kept, in RFC 3339.
    #[serde(default)]
    pub stamp: Option<Place>,
}
