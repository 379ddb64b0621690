//! `posthouse events`: everything that happened, from the journal.

use posthouse_protocol::FrameType;
use posthouse_protocol::payload::{Event, Events};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::table::Tone;
use crate::{escape, when};

/// Print what happened
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  posthouse events --subject builder\n  posthouse events --kind decision --follow --json"
)]
pub struct Args {
    /// Only after this sequence number [default: the newest events]
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Most events
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Only this kind; `session.` means every kind that starts so. May be given again
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only about this session, name, message or credential
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Go on printing as they happen
    #[arg(long, short)]
    follow: bool,
}

/// Prints the events asked for: with `--json` one document, or with `--follow` one line each.
pub async fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let mut client = context.connect().await?;
    let request = Events {
        after: args.after,
        limit: Some(args.limit),
        kinds: args.kind,
        subject: args.subject,
        tail: args.after.is_none().then_some(true),
        follow: args.follow.then_some(true),
    };
    let answer = client.call(&request).await?;
    if context.json && !args.follow {
        context.print_json(&answer)?;
        return Ok(Exit::Done);
    }
    for event in &answer.events {
        print(context, event)?;
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    loop {
        let frame = client.next().await?;
        if frame.header.kind == FrameType::Event {
            print(context, &frame.body.decode()?)?;
        }
    }
}

fn print(context: &Context, event: &Event) -> Result<(), Failure> {
    if context.json {
        return context.print_json(event);
    }
    let paint = context.paint();
    let seq = paint.tone(Tone::Dim, &format!("{:>6}", event.seq));
    let kind = paint.tone(Tone::Head, &format!("{:<18}", escape::line(&event.kind)));
    let data = event.data.value().map(|data| describe(&data)).unwrap_or_default();
    context.print(&format!("{seq} {} {kind} {}  {data}", when::clock(event.at), escape::line(&event.subject)))
}

/// The data as `key=value`, a sentence under `message` first.
fn describe(data: &serde_json::Value) -> String {
    let Some(fields) = data.as_object() else { return escape::line(&data.to_string()) };
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let sentence = fields.get("message").map(|m| escape::line(&text(m)));
    let rest = fields
        .iter()
        .filter(|(key, value)| *key != "message" && !value.is_null())
        .map(|(key, value)| escape::brief(&format!("{key}={}", text(value)), 80));
    sentence.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}
