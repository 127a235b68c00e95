//! `lakeward vacuum`: what no manifest names, and its end.

use std::sync::Arc;

use chrono::TimeDelta;
use serde::Serialize;

use crate::cli::args::lake::VacuumArgs;
use crate::cli::args::values::Format;
use crate::cli::render::{counted, json, out, with_advice};
use crate::cli::tables::chosen;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::store::Lake;
use crate::manifest::strays::Stray;
use crate::manifest::vacuum::{Outdated, delete, outdated};

#[derive(Default, Serialize)]
struct Vacuumed {
    /// Whether `objects` are gone; else they would be.
    deleted: bool,
    bytes: u64,
    objects: Vec<Stray>,
    /// Windows of which nothing is deleted, as their manifest cannot be read.
    left_alone: Vec<LeftAlone>,
}

#[derive(Serialize)]
struct LeftAlone {
    /// The folder of its manifests, relative to the lake.
    path: String,
    message: String,
}

/// Names what no manifest names, and deletes it where that was asked for.
pub(crate) async fn run(args: VacuumArgs) -> Result<u8> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let age = TimeDelta::from_std(args.older_than).map_err(|error| {
        Error::new(ErrorKind::Usage, "--older-than is beyond all time").caused_by(error)
    })?;
    let lake = Lake::open_existing(&args.lake)?;
    let mut vacuumed = Vacuumed { deleted: args.delete, ..Vacuumed::default() };
    for dir in chosen(&lake, args.table.as_deref()).await? {
        let Outdated { mut strays, unread } = outdated(&lake, &dir, age, &*clock).await?;
        vacuumed.left_alone.extend(unread.iter().map(|(name, error)| LeftAlone {
            path: dir.windows_dir(name),
            message: with_advice(error),
        }));
        if args.delete {
            strays = delete(&lake, &dir, strays, &clock).await?;
        }
        vacuumed.objects.extend(strays);
    }
    vacuumed.bytes = vacuumed.objects.iter().map(|stray| stray.bytes).sum();
    match args.format {
        Format::Json => json(&vacuumed)?,
        Format::Table => out(&text(&vacuumed))?,
    }
    Ok(0)
}

fn text(vacuumed: &Vacuumed) -> String {
    let mut text = String::new();
    for stray in &vacuumed.objects {
        let written = stray.modified.format("%Y-%m-%dT%H:%M:%SZ");
        text.push_str(&format!(
            "{written}  {:>12}  {:<7}  {}\n",
            stray.bytes, stray.kind, stray.path
        ));
    }
    for left in &vacuumed.left_alone {
        text.push_str(&format!("left alone: {}: {}\n", left.path, left.message));
    }
    let count = u64::try_from(vacuumed.objects.len()).unwrap_or(u64::MAX);
    let (objects, bytes) = (counted(count, "object"), counted(vacuumed.bytes, "byte"));
    text.push_str(&match (count, vacuumed.deleted) {
        (0, _) => "nothing of that age that no manifest names\n".to_owned(),
        (_, true) => format!("{objects}, {bytes}: deleted\n"),
        (_, false) => format!("{objects}, {bytes} that no manifest names: --delete removes them\n"),
    });
    text
}
