//! Putting an entry in and taking it out.
//!
//! An entry becomes the last member of its table. Comments behind the member before it stay with that member, and the
//! text's own indentation, line ends and habit of trailing commas are kept. Every edit is read back and compared
//! before it is handed out.

use std::ops::Range;

use serde_json::{Map, Value};

use super::parse::{Member, Node, Strictness, end_of_remarks, ends_with_line_comment, parse, skip_blank};
use crate::settings::{Entry, Ours, Put, Refusal, Undo, in_order, line_end, merged, split_mark};

/// Puts `entry` into `text`.
///
/// # Errors
/// If the text can't be read, has no place for it, or has somebody else's entry of that name.
pub fn put(text: &str, strictness: Strictness, entry: &Entry, ours: Ours) -> Result<Put, Refusal> {
    let (mark, text) = split_mark(text);
    let Some(root) = parse(text, strictness)? else {
        return Ok(put_into_blank(mark, text, entry));
    };
    let path = entry.path();
    let (depth, node) = descend(&root, &path)?;
    if depth == path.len() {
        let before = node.value();
        if !before.is_object() || !ours(&before) {
            return Err(foreign(entry));
        }
        let now = merged(&before, &entry.must);
        if now == before {
            return Ok(Put::Unchanged);
        }
        let text = update(text, node, &entry.must, strictness)?;
        check(&text, strictness, &root, &path, Some(now))?;
        return Ok(Put::Updated { text: format!("{mark}{text}") });
    }
    let style = Style::of(text, &root);
    let whole = Value::Object(entry.whole());
    let rest = path.get(depth + 1..).unwrap_or_default();
    let value = rest
        .iter()
        .rev()
        .fold(whole.clone(), |value, name| Value::Object(Map::from_iter([((*name).to_owned(), value)])));
    let name = path.get(depth).copied().unwrap_or_default();
    let held = hollow(text, node).map(str::to_owned);
    let text = insert(text, node, name, &value, &style);
    check(&text, strictness, &root, &path, Some(whole))?;
    let undo = held.map_or(Undo::Beside { depth }, |held| Undo::Hollow { depth, held });
    Ok(Put::Added { text: format!("{mark}{text}"), undo })
}

/// Takes the entry out.
///
/// # Errors
/// If the text can't be read, or the entry of that name is somebody else's.
pub fn take(
    text: &str,
    strictness: Strictness,
    entry: &Entry,
    ours: Ours,
    undo: Option<&Undo>,
) -> Result<Option<String>, Refusal> {
    let (mark, text) = split_mark(text);
    let Some(root) = parse(text, strictness)? else { return Ok(None) };
    let path = entry.path();
    let chain = chain(&root, &path);
    if chain.len() <= path.len() {
        return Ok(None);
    }
    if chain.last().is_some_and(|there| !ours(&there.value())) {
        return Err(foreign(entry));
    }
    // Tables that were made for the entry go with it, unless something else is in them by now.
    let made = match undo {
        Some(Undo::Beside { depth } | Undo::Hollow { depth, .. }) => *depth,
        Some(Undo::Blank { .. }) => 0,
        _ => path.len() - 1,
    };
    let alone = |node: &&Node| only_member(text, node).is_some();
    let shared = chain.get(..path.len()).unwrap_or_default().iter().rposition(|node| !alone(node));
    let level = shared.unwrap_or(0).max(made).min(path.len() - 1);
    let Some(object) = chain.get(level).copied() else { return Ok(None) };
    let emptied = object.members().is_some_and(|members| members.len() == 1);

    if let Some(Undo::Blank { text: before }) = undo
        && level == 0
        && emptied
        && is_only(text, &root, before)
    {
        return Ok(Some(format!("{mark}{before}")));
    }
    let name = path.get(level).copied().unwrap_or_default();
    let text_now = match undo {
        Some(Undo::Hollow { depth, held }) if *depth == level && emptied => refill(text, object, held),
        _ => None,
    };
    let text_now = text_now.unwrap_or_else(|| remove(text, object, name));
    check(&text_now, strictness, &root, path.get(..=level).unwrap_or_default(), None)?;
    Ok(Some(format!("{mark}{text_now}")))
}

fn foreign(entry: &Entry) -> Refusal {
    Refusal::Foreign { table: entry.table.to_owned(), name: entry.name.clone() }
}

/// How far `path` leads, and to what.
fn descend<'a>(root: &'a Node, path: &[&str]) -> Result<(usize, &'a Node), Refusal> {
    let chain = chain(root, path);
    let depth = chain.len() - 1;
    let node = chain.last().copied().unwrap_or(root);
    if depth < path.len() && node.members().is_none() {
        let what = path.get(..depth).filter(|path| !path.is_empty()).map(|path| path.join("."));
        let what = what.map_or_else(|| "the file".to_owned(), |path| format!("`{path}`"));
        return Err(Refusal::Shape(format!("{what} is not an object")));
    }
    Ok((depth, node))
}

/// The values on the way: the root, then what each name of `path` leads to, as far as it goes.
fn chain<'a>(root: &'a Node, path: &[&str]) -> Vec<&'a Node> {
    let mut chain = vec![root];
    let mut node = root;
    for name in path {
        let member = node.members().and_then(|members| members.iter().find(|member| member.name == *name));
        let Some(member) = member else { break };
        node = &member.value;
        chain.push(node);
    }
    chain
}

/// How the text is written.
struct Style {
    line_end: &'static str,
    unit: String,
}

impl Style {
    fn of(text: &str, root: &Node) -> Self {
        let first = root.members().and_then(<[Member]>::first);
        let unit = first.map(|member| indent_at(text, member.key.start)).filter(|unit| !unit.is_empty());
        Self { line_end: line_end(text), unit: unit.unwrap_or("  ").to_owned() }
    }
}

/// The white space between the line's beginning and `at`; empty if something else is there.
fn indent_at(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rfind('\n').map_or(before, |end| before.get(end + 1..).unwrap_or_default());
    if line.trim().is_empty() { line } else { "" }
}

/// The white space that the line of `at` begins with.
fn line_indent(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..).unwrap_or_default();
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

/// What stands between the braces, if it is white space alone.
fn hollow<'a>(text: &'a str, object: &Node) -> Option<&'a str> {
    object.members().filter(|members| members.is_empty())?;
    let inner = text.get(object.span.start + 1..object.span.end - 1)?;
    inner.trim().is_empty().then_some(inner)
}

/// Whether the object's members have lines of their own.
fn has_lines(text: &str, object: &Node) -> bool {
    let inner = object.span.start + 1..object.span.end - 1;
    let gaps: [Range<usize>; 2] = match object.members() {
        Some([first, ..]) => {
            let last = object.members().and_then(<[Member]>::last).map_or(inner.end, |m| m.value.span.end);
            [inner.start..first.key.start, last..inner.end]
        }
        // An empty one is opened up, unless the whole text is one line.
        _ if hollow(text, object).is_some()
            && (text.trim_end().contains('\n') || object.span.start == skip_blank(text, 0)) =>
        {
            return true;
        }
        _ => [inner.clone(), inner],
    };
    gaps.into_iter().any(|gap| text.get(gap).is_some_and(|gap| gap.contains('\n')))
}

/// `text` with one more member at the end of `object`.
fn insert(text: &str, object: &Node, name: &str, value: &Value, style: &Style) -> String {
    let key = Value::from(name);
    let lines = has_lines(text, object);
    let members = object.members().unwrap_or_default();
    let outer = line_indent(text, object.span.start);
    let own = members.first().map(|member| indent_at(text, member.key.start)).filter(|own| !own.is_empty());
    let indent = own.map_or_else(|| format!("{outer}{}", style.unit), str::to_owned);
    let (lead, body) = if lines {
        let end = style.line_end;
        (format!("{end}{indent}"), format!("{key}: {}", on_lines(value, &indent, style)))
    } else if is_tight(text, members) {
        (String::new(), format!("{key}:{value}"))
    } else {
        (" ".to_owned(), format!("{key}: {}", on_one_line(value)))
    };
    if let Some(held) = hollow(text, object) {
        let close = if lines { format!("{}{outer}", style.line_end) } else { held.to_owned() };
        let lead = if lines { lead } else { held.to_owned() };
        return splice(text, object.span.start + 1..object.span.end - 1, &format!("{lead}{body}{close}"));
    }
    let Some(last) = members.last() else {
        // Comments alone: it goes behind them.
        let inner = text.get(object.span.start + 1..object.span.end - 1).unwrap_or_default();
        let at = object.span.start + 1 + inner.trim_end().len();
        return splice(text, at..at, &format!("{lead}{body}"));
    };
    let after = last.comma.unwrap_or(last.value.span.end);
    let at = end_of_remarks(text, after);
    let close = if last.comma.is_some() { "," } else { "" };
    let text = splice(text, at..at, &format!("{lead}{body}{close}"));
    match last.comma {
        Some(_) => text,
        None => splice(&text, last.value.span.end..last.value.span.end, ","),
    }
}

/// Whether nothing stands behind the colons.
fn is_tight(text: &str, members: &[Member]) -> bool {
    members.first().is_some_and(|member| {
        text.get(member.key.end..member.value.span.start).is_some_and(|gap| gap.trim_end() == gap)
    })
}

fn on_lines(value: &Value, indent: &str, style: &Style) -> String {
    let inner = format!("{indent}{}", style.unit);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let end = style.line_end;
            let lines = in_order(members).into_iter().map(|(name, value)| {
                format!("{end}{inner}{}: {}", Value::from(name.as_str()), on_lines(value, &inner, style))
            });
            format!("{{{}{end}{indent}}}", lines.collect::<Vec<_>>().join(","))
        }
        other => on_one_line(other),
    }
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = in_order(members)
                .into_iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), on_one_line(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

/// `text` with the members of `there` that differ from `must` set right.
fn update(
    text: &str,
    there: &Node,
    must: &Map<String, Value>,
    strictness: Strictness,
) -> Result<String, Refusal> {
    let start = there.span.start;
    let mut text = text.to_owned();
    for (name, value) in must {
        // Places move with every change.
        let root = parse(&text, strictness)?.ok_or(Refusal::Unsound)?;
        let object = at_place(&root, start).ok_or(Refusal::Unsound)?;
        let members = object.members().unwrap_or_default();
        text = match (members.iter().find(|member| member.name == *name), value) {
            (None, _) => insert(&text, object, name, value, &Style::of(&text, &root)),
            (Some(member), Value::Object(must)) if member.value.members().is_some() => {
                update(&text, &member.value, must, strictness)?
            }
            (Some(member), _) if member.value.value() == *value => continue,
            (Some(member), _) => splice(&text, member.value.span.clone(), &on_one_line(value)),
        };
    }
    Ok(text)
}

/// The object that begins at `start`.
fn at_place(node: &Node, start: usize) -> Option<&Node> {
    if node.span.start == start {
        return Some(node);
    }
    let member = node.members()?.iter().find(|member| member.value.span.contains(&start))?;
    at_place(&member.value, start)
}

/// `text` without the member `name` of `object`.
fn remove(text: &str, object: &Node, name: &str) -> String {
    let members = object.members().unwrap_or_default();
    let Some(place) = members.iter().position(|member| member.name == name) else { return text.to_owned() };
    let Some(member) = members.get(place) else { return text.to_owned() };
    let end = member.comma.unwrap_or(member.value.span.end);
    let before = text.get(..member.key.start).unwrap_or_default();
    let start = before.trim_end_matches([' ', '\t', '\r', '\n']).len();
    let floor = match place.checked_sub(1).and_then(|place| members.get(place)) {
        Some(previous) => previous.comma.unwrap_or(previous.value.span.end),
        None => object.span.start + 1,
    };
    // What follows on the line must not slip behind a comment that ends with its line.
    let follows =
        text.get(end..).is_some_and(|rest| !rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n'));
    let remark = text.get(floor..start).is_some_and(ends_with_line_comment);
    let start = if follows && remark { member.key.start } else { start };
    let text = splice(text, start..end, "");
    let previous = place.checked_sub(1).and_then(|place| members.get(place));
    match (member.comma, previous.and_then(|previous| previous.comma)) {
        (None, Some(comma)) => splice(&text, comma - 1..comma, ""),
        _ => text,
    }
}

/// `text` with nothing but `held` between the braces of `object`, if nothing but its one member is there now.
fn refill(text: &str, object: &Node, held: &str) -> Option<String> {
    only_member(text, object).map(|_| splice(text, object.span.start + 1..object.span.end - 1, held))
}

/// The one member of an object that holds nothing else, not even a comment.
fn only_member<'a>(text: &str, object: &'a Node) -> Option<&'a Member> {
    let [member] = object.members()? else { return None };
    let before = text.get(object.span.start + 1..member.key.start)?;
    let after = text.get(member.comma.unwrap_or(member.value.span.end)..object.span.end - 1)?;
    (before.trim().is_empty() && after.trim().is_empty()).then_some(member)
}

/// A text without a value gets one at its end.
fn put_into_blank(mark: &str, text: &str, entry: &Entry) -> Put {
    let style = Style { line_end: line_end(text), unit: "  ".to_owned() };
    let whole = Value::Object(entry.whole());
    let value = entry
        .path()
        .iter()
        .rev()
        .fold(whole, |value, name| Value::Object(Map::from_iter([((*name).to_owned(), value)])));
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { style.line_end };
    let now = format!("{mark}{text}{gap}{}{}", on_lines(&value, "", &style), style.line_end);
    Put::Added { text: now, undo: Undo::Blank { text: text.to_owned() } }
}

/// Whether the text is `before` and the root behind it.
fn is_only(text: &str, root: &Node, before: &str) -> bool {
    let lead = text.get(..root.span.start).and_then(|lead| lead.strip_prefix(before));
    let tail = text.get(root.span.end..);
    lead.is_some_and(|gap| gap.trim().is_empty()) && tail.is_some_and(|tail| tail.trim().is_empty())
}

/// Reads an edited text back: at `path` it must say `expected`, and elsewhere what it said before.
fn check(
    text: &str,
    strictness: Strictness,
    before: &Node,
    path: &[&str],
    expected: Option<Value>,
) -> Result<(), Refusal> {
    let now = parse(text, strictness).ok().flatten().ok_or(Refusal::Unsound)?;
    let mut wanted = before.value();
    set(&mut wanted, path, expected);
    if now.value() == wanted { Ok(()) } else { Err(Refusal::Unsound) }
}

fn set(value: &mut Value, path: &[&str], to: Option<Value>) {
    let (Some(members), Some((name, rest))) = (value.as_object_mut(), path.split_first()) else { return };
    match (rest.is_empty(), to) {
        (true, Some(to)) => {
            members.insert((*name).to_owned(), to);
        }
        (true, None) => {
            members.remove(*name);
        }
        (false, to) => {
            let below = members.entry((*name).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            set(below, rest, to);
        }
    }
}

fn splice(text: &str, range: Range<usize>, with: &str) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    format!("{before}{with}{after}")
}
