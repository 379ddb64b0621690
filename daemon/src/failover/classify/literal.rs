//! Objects inside messages: JSON, also with line wraps in it, and the Python notation that SDKs print.

use serde_json::{Map, Value};

/// Deepest nesting of a Python literal.
const DEPTH: usize = 16;

/// The first object in a message.
pub(super) fn find(text: &str) -> Option<Value> {
    let start = text.find('{')?;
    let found = text.get(start..)?;
    json(found).or_else(|| python(found))
}

fn json(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok().filter(Value::is_object)
}

fn python(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    reader.value(0).filter(Value::is_object)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        self.blanks();
        match self.rest.chars().next()? {
            '{' => self.object(depth),
            '[' | '(' => self.list(depth),
            quote @ ('\'' | '"') => self.string(quote).map(Value::String),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.eat('{')?;
        let mut map = Map::new();
        loop {
            self.blanks();
            if self.eat('}').is_some() {
                return Some(Value::Object(map));
            }
            let key = match self.value(depth + 1)? {
                Value::String(key) => key,
                other => other.to_string(),
            };
            self.blanks();
            self.eat(':')?;
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.blanks();
            let _ = self.eat(',');
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
        let mut items = Vec::new();
        loop {
            self.blanks();
            if self.eat(']').or_else(|| self.eat(')')).is_some() {
                return Some(Value::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.blanks();
            let _ = self.eat(',');
        }
    }

    fn string(&mut self, quote: char) -> Option<String> {
        self.eat(quote)?;
        let mut out = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next()? {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    other => out.push(other),
                },
                c if c == quote => {
                    self.rest = chars.as_str();
                    return Some(out);
                }
                c => out.push(c),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| matches!(c, ',' | '}' | ']' | ')' | ':') || c.is_whitespace())?;
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        match word {
            "" => None,
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            number => serde_json::from_str(number).ok().filter(Value::is_number),
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_an_object_of_either_notation() {
        assert_eq!(find(r#"400 {"error":{"code":"x"}} · Please run"#), Some(json!({"error": {"code": "x"}})));
        let python = "401 - {'error': {'message': \"it's\", 'param': None, 'codes': [1, 'a'],\n  'ok': True}, 'status': 401}";
        assert_eq!(
            find(python),
            Some(
                json!({"error": {"message": "it's", "param": null, "codes": [1, "a"], "ok": true}, "status": 401})
            )
        );
    }

    #[test]
    fn half_an_object_is_none() {
        for text in ["{", "{'a'", "{'a': ", "{'a': {'b': 1}", "no braces", "{a b}"] {
            assert_eq!(find(text), None, "{text}");
        }
        assert_eq!(find(&"{'a': ".repeat(100_000)), None, "too deep");
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "[{}\\[\\]()'\",:a1 \\\\\\PC]{0,60}") {
            let _ = find(&text);
        }
    }
}
