//! The text as a tree that knows where everything stands.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::settings::Refusal;

/// Levels that a text may nest.
const MAX_DEPTH: usize = 128;

/// What a text may hold besides JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing.
    Json,
    /// Comments and trailing commas.
    Comments,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// From its first byte to behind its last.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// Kinds of values.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Members in order.
    Object(Vec<Member>),
    /// Items in order.
    Array(Vec<Node>),
    /// A string, number or word.
    Scalar(Value),
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its name.
    pub name: String,
    /// Where the name stands, quotes included.
    pub key: Range<usize>,
    /// What it holds.
    pub value: Node,
    /// Behind the comma that follows it.
    pub comma: Option<usize>,
}

impl Node {
    /// The members, if it is an object.
    pub fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The value without its place.
    pub fn value(&self) -> Value {
        match &self.kind {
            Kind::Object(members) => {
                let pairs = members.iter().map(|member| (member.name.clone(), member.value.value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
            Kind::Array(items) => Value::Array(items.iter().map(Self::value).collect()),
            Kind::Scalar(value) => value.clone(),
        }
    }
}

/// Reads a whole text; `None` if it holds nothing but white space and comments.
pub(super) fn parse(text: &str, strictness: Strictness) -> Result<Option<Node>, Refusal> {
    let mut parser = Parser { text, at: 0, strictness };
    parser.skip()?;
    if parser.peek().is_none() {
        return Ok(None);
    }
    let root = parser.value(0)?;
    parser.skip()?;
    match parser.peek() {
        None => Ok(Some(root)),
        Some(_) => Err(parser.wrong("something follows the value")),
    }
}

/// The end of the white space and comments that begin at `at`. An unfinished comment ends with the text.
pub(super) fn skip_blank(text: &str, at: usize) -> usize {
    let mut parser = Parser { text, at, strictness: Strictness::Comments };
    let _ = parser.skip();
    parser.at
}

/// The end of what stands behind a token on its own line: its comments, without the white space after the last.
pub(super) fn end_of_remarks(text: &str, at: usize) -> usize {
    let mut end = at;
    let mut rest = text.get(at..).unwrap_or_default();
    loop {
        let word = rest.trim_start_matches([' ', '\t']);
        let length = if word.starts_with("//") {
            let line = word.find('\n').unwrap_or(word.len());
            word.get(..line).unwrap_or_default().trim_end_matches('\r').len()
        } else if word.starts_with("/*") {
            match word.find("*/") {
                Some(close) => close + 2,
                None => return end,
            }
        } else {
            return end;
        };
        end = text.len() - word.len() + length;
        rest = text.get(end..).unwrap_or_default();
    }
}

/// Whether the quoted text is a string by JSON's grammar.
fn is_string(quoted: &str) -> bool {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let fine = match c {
            '\\' => match chars.next() {
                Some('u') => (0..4).all(|_| chars.next().is_some_and(|c| c.is_ascii_hexdigit())),
                escaped => escaped.is_some_and(|c| "\"\\/bfnrt".contains(c)),
            },
            c => !c.is_ascii_control(),
        };
        if !fine {
            return false;
        }
    }
    true
}

/// Whether white space and comments end with a comment that lasts until its line ends.
pub(super) fn ends_with_line_comment(blank: &str) -> bool {
    let last = blank.trim_start();
    let length = match last.get(..2) {
        Some("//") => last.find('\n').map(|end| end + 1),
        Some("/*") => last.find("*/").map(|end| end + 2),
        _ => return false,
    };
    length.and_then(|length| last.get(length..)).map_or(last.starts_with("//"), ends_with_line_comment)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    strictness: Strictness,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn wrong(&self, what: impl Into<String>) -> Refusal {
        let line = self.text.get(..self.at).unwrap_or_default().matches('\n').count() + 1;
        Refusal::Unreadable { line, what: what.into() }
    }

    /// Passes white space and comments.
    fn skip(&mut self) -> Result<(), Refusal> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.at += blank;
            let rest = self.rest();
            if !rest.starts_with("//") && !rest.starts_with("/*") {
                return Ok(());
            }
            if self.strictness == Strictness::Json {
                return Err(self.wrong("a comment, which this file may not have"));
            }
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else {
                match rest.find("*/") {
                    Some(close) => close + 2,
                    None => return Err(self.wrong("a comment does not end")),
                }
            };
            self.at += length;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Refusal> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => Kind::Scalar(Value::String(self.string()?)),
            Some(_) => Kind::Scalar(self.word()?),
            None => return Err(self.wrong("a value is missing")),
        };
        Ok(Node { span: start..self.at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, Refusal> {
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        loop {
            self.skip()?;
            match self.peek() {
                Some('}') => {
                    self.close(members.last().is_some_and(|member| member.comma.is_some()))?;
                    return Ok(Kind::Object(members));
                }
                Some('"') if members.last().is_none_or(|member| member.comma.is_some()) => {}
                Some('"') => return Err(self.wrong("a comma is missing")),
                _ => return Err(self.wrong("a name in quotes is missing")),
            }
            let start = self.at;
            let name = self.string()?;
            let key = start..self.at;
            if members.iter().any(|member| member.name == name) {
                return Err(self.wrong(format!("`{name}` is there twice")));
            }
            self.skip()?;
            if self.peek() != Some(':') {
                return Err(self.wrong(format!("a colon is missing behind `{name}`")));
            }
            self.at += 1;
            self.skip()?;
            let value = self.value(depth + 1)?;
            self.skip()?;
            let comma = self.comma();
            members.push(Member { name, key, value, comma });
        }
    }

    fn array(&mut self, depth: usize) -> Result<Kind, Refusal> {
        self.at += 1;
        let mut items = Vec::new();
        let mut comma = None;
        loop {
            self.skip()?;
            if self.peek() == Some(']') {
                self.close(comma.is_some())?;
                return Ok(Kind::Array(items));
            }
            if comma.is_none() && !items.is_empty() {
                return Err(self.wrong("a comma is missing"));
            }
            items.push(self.value(depth + 1)?);
            self.skip()?;
            comma = self.comma();
        }
    }

    fn close(&mut self, after_comma: bool) -> Result<(), Refusal> {
        if after_comma && self.strictness == Strictness::Json {
            return Err(self.wrong("a trailing comma, which this file may not have"));
        }
        self.at += 1;
        Ok(())
    }

    fn comma(&mut self) -> Option<usize> {
        (self.peek() == Some(',')).then(|| {
            self.at += 1;
            self.at
        })
    }

    fn string(&mut self) -> Result<String, Refusal> {
        let mut escaped = false;
        let end = self.rest().char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else { return Err(self.wrong("a string does not end")) };
        let quoted = self.rest().get(..=end).unwrap_or_default();
        let string = match serde_json::from_str(quoted) {
            Ok(string) => string,
            // JavaScript programs cut characters in half. That is no text, and stands for itself.
            Err(_) if is_string(quoted) => quoted.to_owned(),
            Err(_) => return Err(self.wrong("a string is not written as one")),
        };
        self.at += end + 1;
        Ok(string)
    }

    fn word(&mut self) -> Result<Value, Refusal> {
        let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}' | ':' | '/' | '"' | '[' | '{');
        let rest = self.rest();
        let word = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        let value = serde_json::from_str(word).map_err(|_| self.wrong("a value is not written as one"))?;
        self.at += word.len();
        Ok(value)
    }
}
