//! Variables of the daemon's own environment that take precedence over a login.

use super::finding::Finding;
use crate::harness::catalog::Catalog;

/// Names the variables that reach sessions without a route and decide on which account they run.
pub(super) fn look(catalog: &Catalog, is_set: impl Fn(&str) -> bool) -> Finding {
    let mut shadows: Vec<String> = Vec::new();
    for definition in catalog.definitions() {
        let names = definition.environment.ambient.iter().filter(|name| is_credential(name) && is_set(name));
        shadows.extend(names.map(|name| format!("{name} ({})", definition.name)));
    }
    if shadows.is_empty() {
        return Finding::Good("no key in it stands before a login".to_owned());
    }
    let first = shadows.first().and_then(|shadow| shadow.split(' ').next()).unwrap_or_default().to_owned();
    Finding::doubt(
        format!(
            "the daemon was started with {}: sessions without a route run on it instead of the harness's login",
            shadows.join(", ")
        ),
        Some(format!("posthouse down && unset {first} && posthouse up")),
    )
}

fn is_credential(name: &str) -> bool {
    name.ends_with("_KEY") || name.ends_with("_TOKEN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_before_a_login_is_named() {
        let catalog = Catalog::builtin().unwrap();
        assert!(matches!(look(&catalog, |_| false), Finding::Good(_)));
        let Finding::Doubt { detail, fix } = look(&catalog, |name| name == "ANTHROPIC_API_KEY") else {
            panic!("it is a reason to warn");
        };
        assert!(detail.contains("ANTHROPIC_API_KEY (claude)"), "{detail}");
        assert!(fix.unwrap().contains("unset ANTHROPIC_API_KEY"));
        assert!(matches!(look(&catalog, |name| name == "CODEX_HOME"), Finding::Good(_)), "a home is no key");
    }
}
