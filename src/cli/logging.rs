//! The log on stderr: for people, or one flat JSON object a line.

use std::fmt;
use std::io::IsTerminal as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::args::LogFormat;
use crate::cli::progress::BesideBar;
use crate::error::{Error, ErrorKind, Result};

/// Starts the log for the whole process.
///
/// # Errors
/// `Usage` for a filter that does not parse.
pub(crate) fn start(format: LogFormat, filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Error::new(ErrorKind::Usage, "--log-level does not parse").caused_by(error)
    })?;
    let quiet = filter_fn(|line| !shows_the_wire(line.target(), *line.level()));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(BesideBar);
    let started = match format {
        LogFormat::Pretty => log
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_timer(tracing_subscriber::fmt::time::ChronoUtc::new("%H:%M:%S".to_owned()))
            .compact()
            .finish()
            .with(quiet)
            .try_init(),
        LogFormat::Json => log
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(FlatJson)
            .finish()
            .with(quiet)
            .try_init(),
    };
    started.map_err(|error| {
        Error::new(ErrorKind::Unexpected, "could not start the log").caused_by(error)
    })
}

/// Whether a line comes from the crates that see requests as they are sent. What they trace is theirs to
/// choose, headers and query strings included, so that no filter turns it on.
fn shows_the_wire(target: &str, level: Level) -> bool {
    let from = target.split("::").next().unwrap_or_default();
    level >= Level::DEBUG
        && matches!(from, "reqwest" | "hyper" | "hyper_util" | "hyper_rustls" | "h2" | "rustls")
}

/// One object a line, the fields of the enclosing spans (`run_id`, `stream`, `window`) beside the event's.
struct FlatJson;

impl<S, N> FormatEvent<S, N> for FlatJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        line.insert("timestamp".to_owned(), now.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<N>>() else { continue };
            if let Ok(Value::Object(fields)) = serde_json::from_str(&fields.fields) {
                line.extend(fields);
            }
        }
        line.insert("target".to_owned(), event.metadata().target().into());
        event.record(&mut FieldsOf(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

struct FieldsOf<'a>(&'a mut Map<String, Value>);

impl FieldsOf<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for FieldsOf<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
