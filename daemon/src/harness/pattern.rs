//! Regular expressions and argument templates as they stand in definition files: checked when the file is read,
//! so that a mistake is reported with its place and never at run time.

use std::fmt;

use regex::Regex;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A regular expression from a definition. It is matched against one row of the screen, or a window title.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Whether it matches anywhere in `text`; definitions anchor with `^` and `$`.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Byte range of the group `name` where the expression matches `text`; the whole match if there is no such
    /// group.
    pub fn find(&self, text: &str, name: &str) -> Option<std::ops::Range<usize>> {
        let captures = self.0.captures(text)?;
        captures.name(name).or_else(|| captures.get(0)).map(|m| m.range())
    }

    /// The parts of `text` that it does not match.
    pub fn split<'t>(&'t self, text: &'t str) -> impl Iterator<Item = &'t str> {
        self.0.split(text)
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        // Compiled size is bounded: a definition must not be able to eat the daemon's memory.
        regex::RegexBuilder::new(&text).size_limit(1 << 20).build().map(Self).map_err(D::Error::custom)
    }
}

/// A value that a template can mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Model,
    Prompt,
    Id,
    Cwd,
    BaseUrl,
    Helper,
    Ask,
    Socket,
}

/// How a value is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    Plain,
    Toml,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Value { slot: Slot, quote: Quote },
}

/// One argument with places for values: `{model}`, `{prompt}`, `{id}`, `{cwd}`, `{base_url}`, `{helper}`, `{ask}`,
/// `{socket}`;
/// `{cwd:toml}` and `{cwd:json}` put the value in as a quoted string of that language. Other braces are literal. There is no place for a secret: arguments
/// are visible to every process of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// What the places of a [`Template`] are filled with. A missing value leaves its place empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Values<'a> {
    /// For `{model}`.
    pub model: Option<&'a str>,
    /// For `{prompt}`.
    pub prompt: Option<&'a str>,
    /// For `{id}`: a conversation's id.
    pub id: Option<&'a str>,
    /// For `{cwd}`.
    pub cwd: Option<&'a str>,
    /// For `{base_url}`.
    pub base_url: Option<&'a str>,
    /// For `{helper}`, the program that hands out keys, and `{ask}`, the shell's command that has it print the run's.
    pub helper: Option<&'a str>,
    /// For `{socket}`: where the daemon listens.
    pub socket: Option<&'a str>,
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from_brace) = rest.split_at(open);
            literal.push_str(before);
            let inside = from_brace.get(1..).unwrap_or_default();
            let name_len =
                inside.find(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == ':')).unwrap_or(0);
            let (name, after) = inside.split_at(name_len);
            match after.strip_prefix('}') {
                Some(after) if !name.is_empty() => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(place(name)?);
                    rest = after;
                }
                _ => {
                    literal.push('{');
                    rest = inside;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The argument with its places filled.
    pub fn fill(&self, values: Values<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Value { slot, quote } => {
                    let asked = values.helper.filter(|_| *slot == Slot::Ask).map(ask);
                    let value = match slot {
                        Slot::Model => values.model,
                        Slot::Prompt => values.prompt,
                        Slot::Id => values.id,
                        Slot::Cwd => values.cwd,
                        Slot::BaseUrl => values.base_url,
                        Slot::Helper => values.helper,
                        Slot::Ask => asked.as_deref(),
                        Slot::Socket => values.socket,
                    }
                    .unwrap_or_default();
                    match quote {
                        Quote::Plain => out.push_str(value),
                        Quote::Toml => out.push_str(&toml::Value::from(value).to_string()),
                        Quote::Json => out.push_str(&serde_json::Value::from(value).to_string()),
                    }
                }
            }
        }
        out
    }
}

/// What a shell is told, so that the key of the run that it belongs to is printed.
fn ask(helper: &str) -> String {
    format!("'{}' token --for-run", helper.replace('\'', r"'\''"))
}

fn place(name: &str) -> Result<Piece, String> {
    let (name, quote) = match name.split_once(':') {
        Some((name, "toml")) => (name, Quote::Toml),
        Some((name, "json")) => (name, Quote::Json),
        Some((_, other)) => return Err(format!("`:{other}` is neither `:toml` nor `:json`")),
        None => (name, Quote::Plain),
    };
    let slot = match name {
        "model" => Slot::Model,
        "prompt" => Slot::Prompt,
        "id" => Slot::Id,
        "cwd" => Slot::Cwd,
        "base_url" => Slot::BaseUrl,
        "helper" => Slot::Helper,
        "ask" => Slot::Ask,
        "socket" => Slot::Socket,
        _ => {
            return Err(format!(
                "`{{{name}}}` is not one of {{model}} {{prompt}} {{id}} {{cwd}} {{base_url}} {{helper}} {{ask}} {{socket}}"
            ));
        }
    };
    Ok(Piece::Value { slot, quote })
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => f.write_str(text)?,
                Piece::Value { slot, .. } => write!(f, "<{slot:?}>")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> String {
        let values = Values {
            model: Some("m-1"),
            cwd: Some("/a \"b\"\\c"),
            base_url: Some("http://x/v1"),
            ..Values::default()
        };
        Template::parse(template).unwrap().fill(values)
    }

    #[test]
    fn fills_places_and_leaves_other_braces() {
        assert_eq!(fill("--model={model}"), "--model=m-1");
        assert_eq!(fill("{\"hooks\":{\"Stop\":[]}} {}"), "{\"hooks\":{\"Stop\":[]}} {}");
        assert_eq!(fill("p={ base_url={base_url:toml} }"), "p={ base_url=\"http://x/v1\" }");
        assert_eq!(fill("[{prompt}]"), "[]");
    }

    #[test]
    fn toml_values_survive_quotes_and_backslashes() {
        let filled = fill("projects={ {cwd:toml} = { trust_level = \"trusted\" } }");
        let table: toml::Table = toml::from_str(&filled).unwrap();
        assert!(table["projects"].as_table().unwrap().contains_key("/a \"b\"\\c"), "{filled}");
    }

    #[test]
    fn a_helper_is_asked_through_a_shell_whatever_its_path() {
        let values = Values { helper: Some("/it's \"here\"/posthouse"), ..Values::default() };
        let filled = Template::parse("{\"h\":{ask:json}}").unwrap().fill(values);
        let settings: serde_json::Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(settings["h"], r#"'/it'\''s "here"/posthouse' token --for-run"#);
        assert_eq!(fill("{ask}{helper}"), "", "there is none");
    }

    #[test]
    fn an_unknown_place_is_named() {
        assert!(Template::parse("{modle}").unwrap_err().contains("`{modle}`"));
        assert!(Template::parse("{cwd:yaml}").unwrap_err().contains("`:yaml`"));
    }
}
