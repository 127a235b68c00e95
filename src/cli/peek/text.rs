//! A page for people.

use crate::cli::peek::view::{Exchanged, PageView, View};
use crate::cli::render::{Align, TextTable, counted, one_line, shortened, thousands};

/// Undeclared paths that are shown.
const UNDECLARED: usize = 30;

/// The text.
pub(super) fn of(view: &View) -> String {
    let mut text = format!("{}.{}, {} to {}\n", view.source, view.stream, view.from, view.to);
    for exchange in &view.exchanges {
        text.push_str(&wire(exchange));
    }
    let mut section = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {}\n", one_line(line))));
        }
    };
    section("Quota", &view.quota);
    section(&format!("Body ({})", view.format), &indented(&envelope(view)));
    if let Some(page) = &view.page {
        section("Page", &facts(page));
        section("Declared and seen", &indented(&fields(page)));
        section("Not declared (kept in the raw column)", &indented(&undeclared(page)));
    }
    section("To look at", &view.differences);
    text
}

fn wire(exchange: &Exchanged) -> String {
    let header = |name: &str| {
        exchange.response_headers.get(name).and_then(|value| value.as_str()).unwrap_or_default()
    };
    let mut text = format!("\n{} {}\n", exchange.method, exchange.url);
    for (name, value) in &exchange.request_headers {
        text.push_str(&format!("  > {name}: {}\n", value.as_str().unwrap_or_default()));
    }
    let kind = header("content-type");
    let coding = header("content-encoding");
    let coding = if coding.is_empty() { String::new() } else { format!(" as {coding}") };
    text.push_str(&format!(
        "  < {} in {} ms, {}{coding}{}\n",
        exchange.status,
        thousands(exchange.ms),
        counted(exchange.bytes as u64, "byte"),
        if kind.is_empty() { String::new() } else { format!(", {kind}") },
    ));
    for (name, value) in &exchange.response_headers {
        if name != "content-type" && name != "content-encoding" {
            let value = one_line(&shortened(value.as_str().unwrap_or_default(), 120));
            text.push_str(&format!("  < {name}: {value}\n"));
        }
    }
    text
}

fn indented(table: &TextTable) -> Vec<String> {
    let lines: Vec<String> = table.text().lines().map(str::to_owned).collect();
    // The heading alone says nothing.
    if lines.len() > 1 { lines } else { Vec::new() }
}

fn envelope(view: &View) -> TextTable {
    let columns = ["where", "what", "value", "declared as", "looks like"];
    let mut table = TextTable::new(&columns.map(|name| (name, Align::Left)));
    for place in &view.envelope {
        let at = if place.pointer.is_empty() { "\"\"" } else { &place.pointer };
        table.row(vec![
            at.to_owned(),
            place.kind.clone(),
            place.value.clone().unwrap_or_default(),
            place.declared.unwrap_or_default().to_owned(),
            place.looks_like.unwrap_or_default().to_owned(),
        ]);
    }
    table
}

fn facts(page: &PageView) -> Vec<String> {
    let total = page.total.map_or_else(String::new, |total| format!(" of {}", thousands(total)));
    let mut facts = vec![format!("{} records{total}", thousands(page.records as u64))];
    let mut fit = format!("{} fit the schema", thousands(page.rows as u64));
    if page.rejected > 0 {
        fit.push_str(&format!(", {} rejected", page.rejected));
    }
    if page.outside > 0 {
        fit.push_str(&format!(", {} outside of the window", page.outside));
    }
    if page.nulled > 0 {
        fit.push_str(&format!(", {} made null", counted(page.nulled, "value")));
    }
    facts.push(fit);
    for reject in &page.rejects {
        let field = reject.field.as_ref().map_or_else(String::new, |field| format!("{field}: "));
        facts.push(format!("record {}: {field}{}", reject.index, reject.message));
    }
    facts.push(match &page.next {
        Some(next) => format!("next: {next}"),
        None => "next: nothing, this is the last page".to_owned(),
    });
    facts
}

fn fields(page: &PageView) -> TextTable {
    let columns = [
        ("column", Align::Left),
        ("type", Align::Left),
        ("from", Align::Left),
        ("present", Align::Right),
        ("null", Align::Right),
        ("absent", Align::Right),
        ("seen", Align::Left),
        ("for example", Align::Left),
        ("", Align::Left),
    ];
    let mut table = TextTable::new(&columns);
    for field in &page.fields {
        table.row(vec![
            field.name.clone(),
            field.r#type.clone(),
            field.from.join(" "),
            field.present.to_string(),
            field.null.to_string(),
            field.absent.to_string(),
            field.seen.clone(),
            shortened(field.sample.as_deref().unwrap_or_default(), 40),
            field.notes.join("; "),
        ]);
    }
    table
}

fn undeclared(page: &PageView) -> TextTable {
    let columns = ["path", "seen", "for example"];
    let mut table = TextTable::new(&columns.map(|name| (name, Align::Left)));
    for path in page.undeclared.iter().take(UNDECLARED) {
        let sample = shortened(path.sample.as_deref().unwrap_or_default(), 40);
        table.row(vec![path.path.clone(), path.seen.clone(), sample]);
    }
    if page.undeclared.len() > UNDECLARED {
        let more = format!("… {} more", page.undeclared.len() - UNDECLARED);
        table.row(vec![more, String::new(), String::new()]);
    }
    table
}
