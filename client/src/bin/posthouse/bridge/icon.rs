//! What clients show beside the server's name: a letter below a roof. It comes along in the address, so that nothing is
//! fetched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::Icon;

/// The one icon, for any size.
pub(super) fn icon() -> Icon {
    let picture = STANDARD.encode(include_str!("icon.svg"));
    Icon::new(format!("data:image/svg+xml;base64,{picture}"))
        .with_mime_type("image/svg+xml")
        .with_sizes(vec!["any".to_owned()])
}
