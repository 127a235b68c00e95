//! `lakeward inbox`: what has been accepted and has not landed.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::cli::args::values::Format;
use crate::cli::args::webhook::{
    EventState, InboxArgs, InboxCommand, InboxListArgs, InboxRequeueArgs, InboxShowArgs,
};
use crate::cli::render::{Align, TextTable, counted, json, out, shortened, thousands};
use crate::error::{Error, ErrorKind, Result};
use crate::webhook::inbox::Inbox;
use crate::webhook::inbox::event::{Event, State, Summary};
use crate::webhook::inbox::look::Listing;

/// Characters of an id in the table; `--format json` has all of it.
const ID: usize = 40;

/// Lists, shows or requeues.
pub(crate) fn run(args: InboxArgs) -> Result<u8> {
    match args.command {
        InboxCommand::List(args) => list(&args),
        InboxCommand::Show(args) => show(&args),
        InboxCommand::Requeue(args) => requeue(&args),
    }?;
    Ok(0)
}

#[derive(Serialize)]
struct Listed {
    depth: u64,
    bytes: u64,
    events: Vec<Summary>,
}

fn list(args: &InboxListArgs) -> Result<()> {
    let inbox = Inbox::open(&args.inbox, false)?;
    let state = args.state.map(|state| match state {
        EventState::Waiting => State::Waiting,
        EventState::Refused => State::Refused,
    });
    let events = inbox.list(&Listing { source: args.source.clone(), state, most: args.limit })?;
    let listed = Listed { depth: inbox.depth()?, bytes: inbox.used()?, events };
    match args.format {
        Format::Json => json(&listed),
        Format::Table => out(&table(&listed)),
    }
}

fn table(listed: &Listed) -> String {
    let all = counted(listed.depth, "event");
    if listed.depth == 0 {
        return "the inbox is empty: all that was accepted has landed\n".to_owned();
    }
    let mut table = TextTable::new(&[
        ("seq", Align::Right),
        ("received", Align::Left),
        ("webhook", Align::Left),
        ("event", Align::Left),
        ("id", Align::Left),
        ("bytes", Align::Right),
        ("state", Align::Left),
    ]);
    for event in &listed.events {
        table.row(vec![
            event.seq.to_string(),
            event.received_at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
            format!("{}.{}", event.source, event.endpoint),
            shortened(&event.event_type, ID),
            shortened(&event.event_id, ID),
            thousands(event.bytes),
            if event.batch.is_some() { "landing" } else { event.state.name() }.to_owned(),
        ]);
    }
    let shown = listed.events.len();
    format!("{}{shown} of {all} shown, {} bytes in use\n", table.text(), thousands(listed.bytes))
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    summary: Summary,
    content_type: Option<&'a str>,
    stream: Option<&'a str>,
    /// The body where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    /// The body where it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

fn show(args: &InboxShowArgs) -> Result<()> {
    let inbox = Inbox::open(&args.inbox, false)?;
    let Some(event) = inbox.show(args.seq)? else {
        let message = format!("the inbox has no event {}", args.seq);
        return Err(Error::new(ErrorKind::Usage, message)
            .hint("`lakeward inbox list` shows the numbers; one that has landed is in the lake"));
    };
    if args.body {
        let mut stdout = std::io::stdout().lock();
        return match stdout.write_all(&event.body).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::new(ErrorKind::Unexpected, "could not write to stdout").caused_by(error))
            }
            _ => Ok(()),
        };
    }
    let body = std::str::from_utf8(&event.body).ok();
    json(&Shown {
        summary: summary(&event),
        content_type: event.content_type.as_deref(),
        stream: event.stream.as_deref(),
        body,
        body_base64: body.is_none().then(|| STANDARD.encode(&event.body)),
    })
}

fn summary(event: &Event) -> Summary {
    Summary {
        seq: event.seq,
        source: event.source.clone(),
        endpoint: event.endpoint.clone(),
        event_id: event.event_id.clone(),
        event_type: event.event_type.clone(),
        received_at: event.received_at,
        bytes: event.body.len() as u64,
        batch: event.batch.clone(),
        state: event.state,
    }
}

fn requeue(args: &InboxRequeueArgs) -> Result<()> {
    let mut inbox = Inbox::open(&args.inbox, false)?;
    let requeued = inbox.requeue((!args.all).then_some(args.seqs.as_slice()))?;
    if requeued == 0 && !args.all {
        return Err(Error::new(ErrorKind::Usage, "none of these events is refused").hint(
            "`lakeward inbox list --state refused` shows those that are; what land has taken is among the dead letters of the lake",
        ));
    }
    out(&format!("{} will be landed by the source file as it is now\n", counted(requeued, "event")))
}
