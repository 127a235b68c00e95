//! What went wrong, said once at the end of stderr: for people, or one JSON object a line as the log is.

use std::ffi::OsString;
use std::io::Write as _;

use serde_json::{Map, Value};

use crate::cli::args::LogFormat;
use crate::cli::render::shown;
use crate::error::{Error, ErrorKind};
use crate::run::report::{Failure, RunReport, WindowReport};

/// Windows that are named after the first of a kind.
const NAMED: usize = 5;

/// Prints the error that ended a command.
pub fn print_error(log: LogFormat, error: &Error) {
    match log {
        LogFormat::Pretty => print(&pretty(&error.to_string(), error.advice(), "")),
        LogFormat::Json => {
            let fields = [
                ("message", error.to_string().into()),
                ("kind", error.kind().name().into()),
                ("exit", error.kind().exit_code().into()),
                ("hint", error.advice().into()),
            ];
            print(&json_line(&fields));
        }
    }
}

/// Prints what is wrong with the arguments, in the form that they ask for as far as they can be read; or help, which
/// is a result and no error. Gives the exit code (DESIGN §6).
pub fn print_refused(refused: &clap::Error, given: impl Iterator<Item = OsString>) -> u8 {
    if !refused.use_stderr() {
        let _ = refused.print();
        return 0;
    }
    let kind = ErrorKind::Usage;
    let given: Vec<String> = given.map(|word| word.to_string_lossy().into_owned()).collect();
    let as_json = given.iter().any(|word| word == "--log=json")
        || given
            .windows(2)
            .any(|two| matches!(two, [log, form] if log == "--log" && form == "json"));
    if as_json {
        let text = refused.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
        let hint: Vec<&str> = rest.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        print_error(LogFormat::Json, &Error::new(kind, message.trim()).hint(hint.join("; ")));
    } else {
        let _ = refused.print();
    }
    kind.exit_code()
}

/// Prints why windows failed, those of one cause together, in window order.
pub(crate) fn print_failures(log: LogFormat, report: &RunReport) {
    for (first, failure, others) in alike(report) {
        match log {
            LogFormat::Pretty => {
                let what =
                    format!("{} {}: {}", first.stream, shown(&first.window.id), failure.message);
                print(&pretty(&what, failure.hint.as_deref(), &named(&others)));
            }
            LogFormat::Json => {
                let windows = others.iter().map(|w| format!("{}.{}", w.stream, w.window.id));
                let fields = [
                    ("run_id", report.run_id.clone().into()),
                    ("stream", first.stream.clone().into()),
                    ("window", first.window.id.to_string().into()),
                    ("message", failure.message.clone().into()),
                    ("kind", failure.kind.into()),
                    ("exit", first.exit.into()),
                    ("hint", failure.hint.clone().into()),
                    ("also", windows.collect::<Vec<String>>().into()),
                ];
                print(&json_line(&fields));
            }
        }
    }
}

/// Prints why a command ended as it did that has a result all the same.
pub(crate) fn print_failure(log: LogFormat, exit: u8, failure: &Failure) {
    match log {
        LogFormat::Pretty => print(&pretty(&failure.message, failure.hint.as_deref(), "")),
        LogFormat::Json => print(&json_line(&[
            ("message", failure.message.clone().into()),
            ("kind", failure.kind.into()),
            ("exit", exit.into()),
            ("hint", failure.hint.clone().into()),
        ])),
    }
}

/// The first window of each cause, why it failed, and the others of that cause.
fn alike(report: &RunReport) -> Vec<(&WindowReport, &Failure, Vec<&WindowReport>)> {
    let mut groups: Vec<(&WindowReport, &Failure, Vec<&WindowReport>)> = Vec::new();
    for window in &report.windows {
        let Some(failure) = &window.error else { continue };
        let same = |of: &&mut (&WindowReport, &Failure, Vec<&WindowReport>)| {
            (of.1.kind, &of.1.summary) == (failure.kind, &failure.summary)
        };
        match groups.iter_mut().find(same) {
            Some((_, _, others)) => others.push(window),
            None => groups.push((window, failure, Vec::new())),
        }
    }
    groups
}

fn named(others: &[&WindowReport]) -> String {
    if others.is_empty() {
        return String::new();
    }
    let name = |window: &&WindowReport| format!("{} {}", window.stream, shown(&window.window.id));
    let names: Vec<String> = others.iter().take(NAMED).map(name).collect();
    let more = if others.len() > NAMED { ", …" } else { "" };
    let windows = if others.len() == 1 { "window" } else { "windows" };
    format!("  the same of {} more {windows}: {}{more}\n", others.len(), names.join(", "))
}

fn pretty(what: &str, hint: Option<&str>, others: &str) -> String {
    let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    format!("error: {what}\n{others}{hint}")
}

fn json_line(fields: &[(&str, Value)]) -> String {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), now.into());
    line.insert("level".to_owned(), "ERROR".into());
    let told = fields.iter().filter(|(_, value)| !value.is_null());
    line.extend(told.map(|(name, value)| ((*name).to_owned(), value.clone())));
    format!("{}\n", Value::Object(line))
}

/// A reader of stderr that went away is no second error.
fn print(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
