//! A draft as a source file and a schema file.

use crate::cli::init::draft::{Basis, Draft};
use crate::cli::init::windows::{clip, is_open_ended};
use crate::cli::sample::columns::Column;
use crate::cli::sample::envelope::pointer;
use crate::cli::sample::paging::Paging;
use crate::spec::scalar::{quoted, yaml};
use crate::spec::source::Format;

/// Where a comment at a line's end begins.
const COMMENT: usize = 72;

/// The source file's text.
pub(crate) fn source(draft: &Draft) -> String {
    let (file, schema) = draft.files();
    let mut text = heading(draft);
    text.push_str(&format!(
        "#   lakeward check {file}\n#   lakeward peek {file} {}\n",
        draft.stream
    ));
    for warning in &draft.warnings {
        text.push_str(&format!("#\n# To do: {}\n", one_line(warning)));
    }
    text.push_str(&format!("version: 1\nsource: {}\n", yaml(&draft.source)));
    let base = format!("base_url: {}", yaml_url(&draft.base_url));
    text.push_str(&line(
        &base,
        if draft.reachable { "" } else { "a stand-in: put the API's own here" },
    ));
    text.push_str(&format!("auth: {}\n", draft.auth.declared));
    text.push_str(
        "# The most that is asked of the API, by all windows together; its documentation has the figures:\n\
         # rate_limit: { per_second: 5, per_minute: 200 }\n",
    );
    text.push_str(&format!(
        "streams:\n  {}:\n    schema: {}\n",
        yaml(&draft.stream),
        yaml(&schema)
    ));
    text.push_str(&format!("    path: {}\n", yaml(&draft.path)));
    if draft.method != "GET" {
        text.push_str(&format!("    method: {}\n", draft.method));
    }
    if let Some(body) = &draft.body {
        text.push_str(&format!("    body: {body}\n"));
    }
    params(draft, &mut text);
    page(draft, &mut text);
    text
}

fn heading(draft: &Draft) -> String {
    let marked = match draft.basis {
        Basis::Nothing => "Every value is an example.".to_owned(),
        Basis::Sample(_) | Basis::OpenApi => {
            "What is marked as guessed is to be compared with the API's documentation.".to_owned()
        }
    };
    match draft.basis {
        Basis::Nothing => format!("# Written by `lakeward init {}`. {marked}\n#\n", draft.source),
        Basis::Sample(_) | Basis::OpenApi => {
            let origin = one_line(&draft.origin);
            format!("# Drawn by `lakeward init` from {origin}.\n# {marked}\n#\n")
        }
    }
}

fn params(draft: &Draft, text: &mut String) {
    let by_paging = draft.guess.paging.params();
    let kept: Vec<_> =
        draft.params.iter().filter(|param| !by_paging.contains(&param.name.as_str())).collect();
    if !kept.is_empty() {
        text.push_str("    params:\n");
    }
    for param in kept {
        let written = format!("      {}: {}", yaml(&param.name), param.value);
        text.push_str(&line(&written, param.note.as_deref().unwrap_or_default()));
    }
    if let Some(field) = clip(draft) {
        text.push_str(&line(
            &format!("    clip: {}", yaml(field)),
            "guessed: no parameter ends the window, so rows behind its end are dropped",
        ));
    } else if is_open_ended(draft) {
        text.push_str(
            "    # Nothing ends the window: what lies behind its end is fetched too, and again by the next. Name the parameter of\n    # its end, or drop it by the field that the API filters by:\n    # clip: FIELD\n",
        );
    }
    if !draft.is_windowed() {
        text.push_str(
            "    # No parameter follows the window: every window would fetch the same records. Name what the API filters by:\n",
        );
        if draft.params.is_empty() {
            text.push_str("    # params:\n");
        }
        text.push_str(
            "    #   from: \"{{ window.start | iso8601 }}\"\n    #   to: \"{{ window.end | iso8601 }}\"\n",
        );
        if let Some(field) = &draft.columns.partition_by {
            text.push_str(&format!(
                "    # or drop what lies outside of the window, where it cannot filter:\n    # clip: {}\n",
                yaml(field)
            ));
        }
    }
}

fn page(draft: &Draft, text: &mut String) {
    let is_guess = draft.basis != Basis::Nothing;
    let guessed = if is_guess { "guessed" } else { "" };
    if draft.format != Format::Json {
        text.push_str(&format!("    format: {}\n", draft.format.key()));
    }
    let guess = &draft.guess;
    let tokens = guess.records.as_ref().map(|at| at.tokens.as_slice()).unwrap_or_default();
    let records = pointer(tokens);
    let records = if records.is_empty() { quoted("") } else { yaml(&records) };
    let others = guess.records.as_ref().map(|at| at.others.join(", ")).unwrap_or_default();
    let note = match (tokens.is_empty(), others.is_empty()) {
        (true, _) => "the body is the list".to_owned(),
        (false, true) => guessed.to_owned(),
        (false, false) => format!("guessed; other lists: {}", one_line(&others)),
    };
    text.push_str(&line(&format!("    records: {records}"), &note));
    if let Some(total) = &guess.total {
        text.push_str(&line(&format!("    total: {}", total.declared()), guessed));
        text.push_str(&line(
            "    on_count_mismatch: warn",
            "once the total is known to be right: fail, so that no lost record goes unseen",
        ));
    }
    let note = match guess.paging {
        Paging::None if is_guess => "guessed: one page; no sign of others",
        Paging::None => "one page; or page, offset, cursor, next_url, link_header",
        _ => "guessed",
    };
    text.push_str(&line(&format!("    pagination: {}", guess.paging.declared()), note));
}

/// The schema file's text.
pub(crate) fn schema(draft: &Draft) -> String {
    let table = &draft.columns;
    let mut text = heading(draft);
    text.push_str(
        "# Fields that are not declared here are kept in `_raw`, and reported as drift.\nversion: 1\n",
    );
    text.push_str(&format!("table: {}\n", yaml(&draft.stream)));
    match &table.primary_key {
        Some(key) => text.push_str(&line(&format!("primary_key: [{}]", yaml(key)), "guessed")),
        None => text.push_str("# primary_key: [id]                # none was found: without one nothing is deduplicated\n"),
    }
    if let Some(version) = &table.version_by {
        text.push_str(&line(
            &format!("version_by: {}", yaml(version)),
            "guessed: of two versions of a key the later wins",
        ));
    }
    match &table.partition_by {
        Some(field) => {
            text.push_str(&line(
                &format!("partition_by: {}", yaml(field)),
                "guessed: its UTC date",
            ));
        }
        None => text.push_str(
            "# partition_by: created_at          # no time was found that every record has\n",
        ),
    }
    text.push_str("fields:\n");
    for column in &table.columns {
        text.push_str(&field(column));
    }
    if table.left_out > 0 {
        text.push_str(&format!(
            "  # {} more keys were left out: they are kept in `_raw`\n",
            table.left_out
        ));
    }
    text
}

fn field(column: &Column) -> String {
    let simple = column.kind.chars().all(|c| c.is_ascii_alphanumeric());
    let kind = if simple { column.kind.clone() } else { quoted(&column.kind) };
    let mut keys = vec![format!("name: {}", yaml(&column.name)), format!("type: {kind}")];
    if column.from != pointer(std::slice::from_ref(&column.name)) {
        keys.push(format!("from: {}", yaml(&column.from)));
    }
    if column.required {
        keys.push("required: true".to_owned());
    }
    if !column.known.is_empty() {
        let known: Vec<String> = column.known.iter().map(|value| yaml(value)).collect();
        keys.push(format!("known: [{}]", known.join(", ")));
    }
    line(&format!("  - {{ {} }}", keys.join(", ")), column.note.as_deref().unwrap_or_default())
}

/// A line with a comment at its end.
fn line(written: &str, comment: &str) -> String {
    if comment.is_empty() {
        return format!("{written}\n");
    }
    format!("{written:<COMMENT$}  # {}\n", one_line(comment))
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A URL is plain but for what would end it.
fn yaml_url(url: &str) -> String {
    let plain = url.chars().all(|c| c.is_ascii_graphic() && !"#{}[],&*!|>'\"%@`".contains(c));
    if plain && !url.ends_with(':') { url.to_owned() } else { quoted(url) }
}
