//! Whose words a terminal shows: lines without their marks, and the blocks that agents and tools fill.

/// Marks that head what an agent says or which tool it runs.
const BULLETS: [char; 3] = ['●', '⏺', '·'];
/// Marks that head a tool in a box of Gemini's.
const TOOL_MARKS: [char; 6] = ['✓', '✔', '⊶', '⊷', '✕', '✗'];
/// How far tools' output is indented at least.
const OUTPUT_INDENT: usize = 4;

/// Gemini's mark for what the model says; its errors have another.
const SPEECH: char = '✦';

/// Marks that a line starts with when a person or a quotation speaks.
const QUOTES: [char; 6] = ['>', '›', '❯', '"', '`', '“'];
/// Marks that harnesses put before their own lines.
const MARKS: &str = "■⎿●○◦✕✖✗×⚠┃│▌▎▏⏺❌⛔✘⬝▪ℹ✻✳✶✢✽☒✦➤►▶⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/// Marks what tools printed as content: the lines under a header like `● Bash(ls)` or `• Ran ls`, up to the next
/// blank line, and after it as far as they are indented like output.
pub(super) fn mask_content(lines: &mut [Line<'_>]) {
    let mut under = Under::Nothing;
    for line in lines {
        let blank = line.text.is_empty();
        under = match (under, line.block) {
            (_, Some(Block::Tool)) => Under::Tool(line.indent),
            (_, Some(Block::Speech)) => Under::Speech(line.indent),
            (Under::Tool(head), None) if line.boxed || (!blank && line.indent > head) => Under::Tool(head),
            (Under::Tool(head) | Under::LaterOutput(head), None) if blank => Under::LaterOutput(head),
            (Under::LaterOutput(head), None) if line.indent >= head + OUTPUT_INDENT => {
                Under::LaterOutput(head)
            }
            (Under::Speech(head), None) if blank => Under::Speech(head),
            // Speech that goes on is speech, also in its next paragraph; what hangs from it by a mark is the harness's own.
            (Under::Speech(head), None) if !blank && line.indent > head && !line.starts => {
                Under::Speech(head)
            }
            _ => Under::Nothing,
        };
        // A header that is speech may be the harness's own words; its continuation may not begin others.
        line.content |= !matches!(under, Under::Nothing) && line.block != Some(Block::Speech);
    }
}

/// What a line stands under, and how far the head of that is indented.
#[derive(Clone, Copy)]
enum Under {
    Nothing,
    Tool(usize),
    LaterOutput(usize),
    Speech(usize),
}

/// A line without its marks.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    /// How far it is indented.
    indent: usize,
    /// It begins a message of its own.
    pub(super) starts: bool,
    /// A person, a tool or a quotation speaks.
    pub(super) content: bool,
    /// It bears a mark that Codex gives to errors.
    pub(super) alarm: Option<Alarm>,
    /// It is a row of a box.
    boxed: bool,
    /// It heads a block.
    block: Option<Block>,
}

/// How Codex marks errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Errors only.
    Sure,
    /// Warnings too; only a response quoted whole is an error.
    Warning,
}

/// What a line with a bullet heads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// A tool's name, with what it printed below.
    Tool,
    /// What an agent says.
    Speech,
}

impl<'a> Line<'a> {
    pub(super) fn read(line: &'a str) -> Self {
        let trimmed = line.trim();
        let bare = trimmed.trim_start_matches(|c: char| c.is_whitespace() || MARKS.contains(c));
        let text = bare.trim_end_matches(|c: char| c.is_whitespace() || "┃│▌█".contains(c));
        let side = trimmed.starts_with(['┃', '│', '▌', '▎', '▏']);
        let row = trimmed.strip_prefix('│').map(str::trim_start);
        let spoken = trimmed.strip_prefix(BULLETS).map(str::trim_start);
        let spoken = spoken.map(|spoken| if is_tool(spoken) { Block::Tool } else { Block::Speech });
        let ran = row.is_some_and(|row| row.starts_with(TOOL_MARKS));
        let alarm = match trimmed.chars().next() {
            Some('■') => Some(Alarm::Sure),
            Some('⚠') => Some(Alarm::Warning),
            _ if trimmed.starts_with("ERROR:") => Some(Alarm::Warning),
            _ => None,
        };
        Self {
            text,
            indent: line.len() - line.trim_start().len(),
            starts: bare.len() < trimmed.len() && !side,
            content: text.starts_with(QUOTES) || trimmed.starts_with(SPEECH),
            alarm,
            boxed: row.is_some(),
            block: if ran { Some(Block::Tool) } else { spoken },
        }
    }
}

/// Whether a line with a bullet names a tool: `Bash(…)`, `github - search (MCP)(…)`, `Ran ls`, `Explored`.
fn is_tool(spoken: &str) -> bool {
    let name = spoken.split('(').next().unwrap_or_default();
    let called =
        spoken.contains('(') && name.starts_with(char::is_uppercase) && !name.trim_end().contains(' ');
    let mcp = spoken.contains("(MCP)(");
    let verb = ["Ran", "Explored", "Called", "Edited", "Read", "Searched", "Listed", "Updated", "Added"];
    called || mcp || spoken.split_whitespace().next().is_some_and(|word| verb.contains(&word))
}
