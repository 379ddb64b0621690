//! TOML: an entry is a table at the end of the text.

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table};

use super::{Entry, Ours, Put, Refusal, Undo, in_order, line_end, merged, split_mark};

/// Puts `entry` into `text`.
///
/// # Errors
/// If the text can't be read, has no place for it, or has somebody else's entry of that name.
pub fn put(text: &str, entry: &Entry, ours: Ours) -> Result<Put, Refusal> {
    let (mark, body) = split_mark(text);
    let mut document = parse(body)?;
    let before = plain(document.as_table());
    let table = before.get(entry.table);
    if table.is_some_and(|table| !table.is_object()) {
        return Err(Refusal::Shape(format!("`{}` is not a table", entry.table)));
    }
    if let Some(there) = table.and_then(|table| table.get(&entry.name)) {
        if !ours(there) {
            return Err(foreign(entry));
        }
        if merged(there, &entry.must) == *there {
            return Ok(Put::Unchanged);
        }
        let item = document.get_mut(entry.table).and_then(|table| table.get_mut(&entry.name));
        update(item.ok_or(Refusal::Unsound)?, &entry.must)?;
        let now = with_line_ends(&document.to_string(), body);
        check(&now, &before, entry, Some(merged(there, &entry.must)))?;
        return Ok(Put::Updated { text: format!("{mark}{now}") });
    }
    let piece = piece(body, entry)?;
    let now = format!("{body}{piece}");
    if parse(&now).is_err() {
        let what =
            format!("`{}` is written in one line; write its entries as [{0}.NAME] tables", entry.table);
        return Err(Refusal::Shape(what));
    }
    check(&now, &before, entry, Some(Value::Object(entry.whole())))?;
    Ok(Put::Added { text: format!("{mark}{now}"), undo: Undo::Appended { piece } })
}

/// Takes the entry out.
///
/// # Errors
/// If the text can't be read, or the entry of that name is somebody else's.
pub fn take(text: &str, entry: &Entry, ours: Ours, undo: Option<&Undo>) -> Result<Option<String>, Refusal> {
    let (mark, body) = split_mark(text);
    let mut document = parse(body)?;
    let before = plain(document.as_table());
    let Some(there) = before.get(entry.table).and_then(|table| table.get(&entry.name)) else {
        return Ok(None);
    };
    if !ours(there) {
        return Err(foreign(entry));
    }
    if let Some(Undo::Appended { piece }) = undo
        && let Some((head, tail)) = body.split_once(piece.as_str())
    {
        let now = format!("{head}{tail}");
        if check(&now, &before, entry, None).is_ok() {
            return Ok(Some(format!("{mark}{now}")));
        }
    }
    let table = document.get_mut(entry.table).and_then(Item::as_table_like_mut).ok_or(Refusal::Unsound)?;
    table.remove(&entry.name);
    let is_left_over = table.is_empty();
    let implicit = document.get(entry.table).and_then(Item::as_table).is_some_and(Table::is_implicit);
    if is_left_over && implicit {
        document.remove(entry.table);
    }
    let now = with_line_ends(&document.to_string(), body);
    check(&now, &before, entry, None)?;
    Ok(Some(format!("{mark}{now}")))
}

fn foreign(entry: &Entry) -> Refusal {
    Refusal::Foreign { table: entry.table.to_owned(), name: entry.name.clone() }
}

fn parse(text: &str) -> Result<DocumentMut, Refusal> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        Refusal::Unreadable { line, what: error.message().to_owned() }
    })
}

/// What is appended to `text`: a table with a blank line before it.
fn piece(text: &str, entry: &Entry) -> Result<String, Refusal> {
    let end = line_end(text);
    let gap = match text {
        "" => String::new(),
        text if text.ends_with('\n') => end.to_owned(),
        _ => end.repeat(2),
    };
    let mut lines = vec![format!("[{}.{}]", key(entry.table), key(&entry.name))];
    for (name, value) in in_order(&entry.whole()) {
        lines.push(format!("{} = {}", key(name), toml_value(value)?));
    }
    Ok(format!("{gap}{}{end}", lines.join(end)))
}

fn key(name: &str) -> String {
    toml_edit::Key::new(name).display_repr().into_owned()
}

fn toml_value(value: &Value) -> Result<toml_edit::Value, Refusal> {
    Ok(match value {
        Value::Bool(truth) => (*truth).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => number.as_i64().ok_or(Refusal::Unsound)?.into(),
        Value::Array(items) => {
            let items = items.iter().map(toml_value).collect::<Result<toml_edit::Array, _>>()?;
            toml_edit::Value::Array(items)
        }
        Value::Object(members) => {
            let mut table = toml_edit::InlineTable::new();
            for (name, value) in members {
                table.insert(name, toml_value(value)?);
            }
            toml_edit::Value::InlineTable(table)
        }
        Value::Null => return Err(Refusal::Unsound),
    })
}

/// Sets what differs from `must`, and keeps the rest with its comments.
fn update(item: &mut Item, must: &Map<String, Value>) -> Result<(), Refusal> {
    let table = item.as_table_like_mut().ok_or(Refusal::Unsound)?;
    for (name, value) in must {
        match (table.get_mut(name), value) {
            (Some(there), Value::Object(must)) if there.is_table_like() => update(there, must)?,
            (Some(there), _) if plain_item(there) == *value => {}
            (Some(Item::Value(there)), _) => {
                let decor = there.decor().clone();
                *there = toml_value(value)?;
                *there.decor_mut() = decor;
            }
            (_, _) => {
                table.insert(name, Item::Value(toml_value(value)?));
            }
        }
    }
    Ok(())
}

/// toml_edit writes plain line ends; `before` may have had others.
fn with_line_ends(text: &str, before: &str) -> String {
    match line_end(before) {
        "\n" => text.to_owned(),
        end => text.replace("\r\n", "\n").replace('\n', end),
    }
}

/// An edited text must say what it said before, but for the entry.
fn check(text: &str, before: &Value, entry: &Entry, expected: Option<Value>) -> Result<(), Refusal> {
    let now = plain(parse(text).map_err(|_| Refusal::Unsound)?.as_table());
    let without = |value: &Value| {
        let mut value = value.clone();
        let root = value.as_object_mut();
        if let Some(root) = root
            && let Some(table) = root.get_mut(entry.table).and_then(Value::as_object_mut)
        {
            table.remove(&entry.name);
            if table.is_empty() {
                root.remove(entry.table);
            }
        }
        value
    };
    let there = now.get(entry.table).and_then(|table| table.get(&entry.name));
    if without(&now) == without(before) && there == expected.as_ref() {
        Ok(())
    } else {
        Err(Refusal::Unsound)
    }
}

/// A table without its form. Dates and floats become their text, which is enough to compare them.
fn plain(table: &dyn toml_edit::TableLike) -> Value {
    Value::Object(table.iter().map(|(name, item)| (name.to_owned(), plain_item(item))).collect())
}

fn plain_item(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return plain(table);
    }
    if let Some(tables) = item.as_array_of_tables() {
        return Value::Array(tables.iter().map(|table| plain(table)).collect());
    }
    item.as_value().map_or(Value::Null, plain_value)
}

fn plain_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(truth) => (*truth.value()).into(),
        toml_edit::Value::Array(items) => Value::Array(items.iter().map(plain_value).collect()),
        toml_edit::Value::InlineTable(table) => plain(table),
        other => Value::String(other.to_string().trim().to_owned()),
    }
}

#[cfg(test)]
mod tests;
