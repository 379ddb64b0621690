//! `MOCK:kind=value` lines, by which a prompt shapes the reply it gets.

use std::time::Duration;

/// What the newest user text asks of a successful reply; the last line of each kind counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Directives {
    /// `MOCK:slow=<seconds>`: spread the reply over that long.
    pub slow: Option<Duration>,
    /// `MOCK:tool=<command>`: call a shell tool first, or with `mcp SERVER__TOOL ARGUMENTS` one of a server's.
    pub tool: Option<String>,
    /// `MOCK:say=<text>`: reply with exactly this.
    pub say: Option<String>,
}

impl Directives {
    /// Reads the directives out of `text`, wherever on a line they begin.
    pub(super) fn read(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let Some((kind, value)) =
                line.split_once("MOCK:").and_then(|(_, directive)| directive.split_once('='))
            else {
                continue;
            };
            match kind {
                "slow" => found.slow = value.trim().parse().ok().map(Duration::from_secs_f32),
                "tool" => found.tool = Some(value.trim().to_owned()),
                "say" => found.say = Some(value.to_owned()),
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_kind_counts() {
        let read = Directives::read(
            "hello MOCK:slow=1.5\nMOCK:say=no\nMOCK:say= a=b \nMOCK:tool=touch x\nMOCK:odd=1",
        );
        assert_eq!(read.slow, Some(Duration::from_millis(1500)));
        assert_eq!(read.say.as_deref(), Some(" a=b "));
        assert_eq!(read.tool.as_deref(), Some("touch x"));
        assert_eq!(Directives::read("nothing here"), Directives::default());
    }
}
