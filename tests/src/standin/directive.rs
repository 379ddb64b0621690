//! What a message can have the stand-in do: lines that begin with `DO `.

use std::time::Duration;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `DO slow MS`: the turn takes so much longer.
    Slow(Duration),
    /// `DO tool`: a tool is used.
    Tool,
    /// `DO dialog KIND`: a dialog opens during the turn; `1` or `2` answers it.
    Dialog(String),
    /// `DO ambush`: a dialog opens as soon as the next text is pasted.
    Ambush,
    /// `DO swallow-enter`: the next Enter is lost.
    SwallowEnter,
    /// `DO fail revoked`, `DO fail limit SECONDS`, `DO fail overloaded`: the turn fails.
    Fail(Failure),
    /// `DO quote TEXT`: the answer says this.
    Quote(String),
    /// `DO exit CODE`, `DO exit CODE KEY`: it ends with the turn; with a key only if it runs on this one.
    Exit {
        /// Its exit code.
        code: u8,
        /// Only on this key.
        only: Option<String>,
    },
    /// `DO fork`: it leaves a child behind that belongs to nobody.
    Fork,
    /// `DO wedge`: it never reads or draws again.
    Wedge,
    /// `DO flood BYTES`: it puts out so many bytes of text.
    Flood(usize),
    /// `DO reply NAME TEXT`: it sends a message by `posthouse send`.
    Reply {
        /// To whom.
        to: String,
        /// What.
        text: String,
    },
}

/// How a turn can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The key was revoked.
    Revoked,
    /// A usage limit was hit; it is lifted after so many seconds.
    Limit(u64),
    /// The provider has no capacity.
    Overloaded,
}

impl Failure {
    /// What the stand-in shows.
    pub fn sentence(&self) -> String {
        match self {
            Self::Revoked => "Failed to authenticate. API Error: 401 OAuth token revoked".to_owned(),
            Self::Limit(seconds) => format!("You've hit your usage limit · resets in {seconds}s"),
            Self::Overloaded => "API Error: Repeated 529 Overloaded errors".to_owned(),
        }
    }
}

/// The directives in a text, in order. Lines that are none, or wrong ones, are just text.
pub fn directives(text: &str) -> Vec<Directive> {
    text.lines().filter_map(|line| read(line.strip_prefix("DO ")?)).collect()
}

fn read(line: &str) -> Option<Directive> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(match word {
        "slow" => Directive::Slow(Duration::from_millis(rest.parse().ok()?)),
        "tool" => Directive::Tool,
        "dialog" => Directive::Dialog(if rest.is_empty() { "permission" } else { rest }.to_owned()),
        "ambush" => Directive::Ambush,
        "swallow-enter" => Directive::SwallowEnter,
        "fail" => Directive::Fail(match rest.split_once(' ').unwrap_or((rest, "")) {
            ("revoked", _) => Failure::Revoked,
            ("limit", seconds) => Failure::Limit(seconds.parse().ok()?),
            ("overloaded", _) => Failure::Overloaded,
            _ => return None,
        }),
        "quote" => Directive::Quote(rest.to_owned()),
        "exit" => {
            let (code, only) = rest.split_once(' ').map_or((rest, None), |(code, key)| (code, Some(key)));
            Directive::Exit { code: code.parse().ok()?, only: only.map(str::to_owned) }
        }
        "fork" => Directive::Fork,
        "wedge" => Directive::Wedge,
        "flood" => Directive::Flood(rest.parse().ok()?),
        "reply" => {
            let (to, text) = rest.split_once(' ')?;
            Directive::Reply { to: to.to_owned(), text: text.to_owned() }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_stand_on_lines_of_their_own() {
        let text = "[posthouse from=a]\nplease DO exit 1\nDO slow 30\nDO fail limit 60\nDO reply bob hello there\nDO x";
        assert_eq!(
            directives(text),
            [
                Directive::Slow(Duration::from_millis(30)),
                Directive::Fail(Failure::Limit(60)),
                Directive::Reply { to: "bob".into(), text: "hello there".into() },
            ]
        );
    }
}
