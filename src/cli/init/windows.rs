//! Which parameters ask for a window of time, and in which notation.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::cli::init::draft::{Draft, Param};
use crate::cli::sample::names::{has_word, words};

const STARTS: [&str; 9] =
    ["from", "since", "start", "after", "begin", "gte", "gt", "min", "starting"];
const ENDS: [&str; 8] = ["to", "until", "end", "before", "lte", "lt", "max", "ending"];
const TIMES: [&str; 12] = [
    "created",
    "updated",
    "modified",
    "date",
    "time",
    "at",
    "timestamp",
    "datetime",
    "day",
    "ts",
    "period",
    "occurred",
];

/// One end of a window, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Lower,
    Upper,
    Day,
}

/// What an API takes for a parameter, where no value tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A date and time.
    Instant,
    /// A date.
    Date,
    /// A whole number.
    Integer,
    /// Anything else.
    Other,
}

/// Parameters with their values; those that ask for a window follow it.
pub(crate) fn follow(params: &[(String, Vec<String>)]) -> Vec<Param> {
    let only = |values: &[String]| match values {
        [only] => filter_of(only),
        _ => None,
    };
    // The same date at both ends is a day with an inclusive end.
    let dates =
        params.iter().filter(|(name, values)| end(name).is_some() && only(values) == Some("date"));
    let dates: Vec<&String> = dates.filter_map(|(_, values)| values.first()).collect();
    let inclusive = dates.len() > 1 && dates.iter().all(|date| Some(date) == dates.first());
    let follow = |(name, values): &(String, Vec<String>)| {
        let (Some(end), Some(filter)) = (end(name), only(values)) else {
            return Param::literal(name, values);
        };
        let was = values.first().map(String::as_str).unwrap_or_default();
        let note = format!("guessed: it was {was}");
        if inclusive && filter == "date" {
            return Param::windowed(
                name,
                "{{ window.date }}",
                format!("{note}, the end inclusive"),
            );
        }
        Param::windowed(name, &template(end, filter), note)
    };
    params.iter().map(follow).collect()
}

/// The parameter that asks for a window by its name and by what it takes.
pub(crate) fn declared(name: &str, takes: Takes) -> Option<Param> {
    let end = end(name)?;
    let words = words(name);
    let timely = has_word(name, &TIMES)
        || matches!(words.as_slice(), [only] if only != "after" && only != "before");
    let filter = match takes {
        Takes::Instant => "iso8601",
        Takes::Date => "date",
        Takes::Integer if timely && !has_word(name, &["max", "min", "page"]) => "unix",
        Takes::Other if has_word(name, &TIMES) => "iso8601",
        Takes::Integer | Takes::Other => return None,
    };
    Some(Param::windowed(name, &template(end, filter), "guessed from its name and type".to_owned()))
}

/// What of records the parameter speaks of: `created` of `created_after`, nothing of `from`.
fn family(name: &str) -> String {
    let said = |word: &String| {
        let word = word.as_str();
        let bound = STARTS.contains(&word) || ENDS.contains(&word);
        !bound && !matches!(word, "at" | "date" | "time" | "timestamp" | "datetime" | "day" | "on")
    };
    words(name).into_iter().filter(said).collect::<Vec<_>>().join(" ")
}

/// Keeps the parameters of one family, since an API that filters by two gives what fits both: those of creation first,
/// then those without a name, then those of change. Gives the names of the others.
pub(crate) fn keep_one_family(params: &mut Vec<Param>) -> Vec<String> {
    let rank = |param: &Param| match family(&param.name).as_str() {
        "created" | "creation" => 0,
        "" => 1,
        "updated" | "modified" | "last modified" | "last updated" => 2,
        _ => 3,
    };
    let windowed = params.iter().filter(|param| param.windowed);
    let Some(kept) = windowed.min_by_key(|param| rank(param)).map(|param| family(&param.name))
    else {
        return Vec::new();
    };
    let is_other = |param: &Param| param.windowed && family(&param.name) != kept;
    let others = params.iter().filter(|param| is_other(param)).map(|param| param.name.clone());
    let others = others.collect();
    params.retain(|param| !is_other(param));
    others
}

/// Whether parameters say where the window begins, and nothing where it ends.
pub(crate) fn is_open_ended(draft: &Draft) -> bool {
    let windowed: Vec<&Param> = draft.params.iter().filter(|param| param.windowed).collect();
    !windowed.is_empty()
        && windowed.iter().all(|param| param.value.contains("window.start"))
        && !draft.path.contains("{{ window")
        && !draft.body.as_ref().is_some_and(|body| body.contains("{{ window"))
}

/// The field by which rows behind the end of such a window can be dropped: the one that its beginning asks by, and no
/// other, for a row is created and changed at different times.
pub(crate) fn clip(draft: &Draft) -> Option<&str> {
    let field = draft.columns.partition_by.as_deref().filter(|_| is_open_ended(draft))?;
    let mut windowed = draft.params.iter().filter(|param| param.windowed);
    let same = |param: &Param| !family(field).is_empty() && family(&param.name) == family(field);
    windowed.all(same).then_some(field)
}

fn template(end: Bound, filter: &str) -> String {
    match end {
        Bound::Day => "{{ window.date }}".to_owned(),
        Bound::Lower => format!("{{{{ window.start | {filter} }}}}"),
        Bound::Upper => format!("{{{{ window.end | {filter} }}}}"),
    }
}

fn end(name: &str) -> Option<Bound> {
    let words = words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let is_cursor = has(&["id", "cursor", "page", "token", "key"]);
    if is_cursor {
        return None;
    }
    match (has(&STARTS), has(&ENDS)) {
        (true, false) => Some(Bound::Lower),
        (false, true) => Some(Bound::Upper),
        (true, true) => None,
        (false, false) => matches!(words.as_slice(), [only] if only == "date" || only == "day")
            .then_some(Bound::Day),
    }
}

/// The filter that writes an instant as `value` is written.
fn filter_of(value: &str) -> Option<&'static str> {
    if let Ok(number) = value.parse::<i64>() {
        return match number {
            1_000_000_000..10_000_000_000 => Some("unix"),
            1_000_000_000_000..10_000_000_000_000 => Some("unix_ms"),
            _ => None,
        };
    }
    if value.len() == 10 && NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok() {
        return Some("date");
    }
    // A `+` in a query is a space.
    if DateTime::parse_from_rfc3339(&value.replace(' ', "+")).is_ok() {
        return Some("iso8601");
    }
    let local = |format: &str| NaiveDateTime::parse_from_str(value, format).is_ok();
    if local("%Y-%m-%dT%H:%M:%S") {
        return Some("strftime('%Y-%m-%dT%H:%M:%S')");
    }
    local("%Y-%m-%d %H:%M:%S").then_some("strftime('%Y-%m-%d %H:%M:%S')")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(query: &str) -> Vec<String> {
        let params: Vec<(String, Vec<String>)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), vec![value.into_owned()]))
            .collect();
        follow(&params).into_iter().map(|param| format!("{}={}", param.name, param.value)).collect()
    }

    #[test]
    fn a_window_is_told_by_name_and_value() {
        assert_eq!(
            followed("from=1773705600&to=1773792000&count=100"),
            ["from=\"{{ window.start | unix }}\"", "to=\"{{ window.end | unix }}\"", "count=100"]
        );
        assert_eq!(
            followed("created[gte]=1773705600123&created[lt]=1773792000123"),
            [
                "created[gte]=\"{{ window.start | unix_ms }}\"",
                "created[lt]=\"{{ window.end | unix_ms }}\""
            ]
        );
        assert_eq!(
            followed("since=2026-03-17T00:00:00Z&updatedBefore=2026-03-18T00:00:00%2B05:30"),
            [
                "since=\"{{ window.start | iso8601 }}\"",
                "updatedBefore=\"{{ window.end | iso8601 }}\""
            ]
        );
        assert_eq!(
            followed("start_date=2026-03-17&end_date=2026-03-18"),
            ["start_date=\"{{ window.start | date }}\"", "end_date=\"{{ window.end | date }}\""]
        );
        assert_eq!(
            followed("from=2026-03-17&to=2026-03-17"),
            ["from=\"{{ window.date }}\"", "to=\"{{ window.date }}\""]
        );
        assert_eq!(followed("date=2026-03-17"), ["date=\"{{ window.date }}\""]);
        assert_eq!(
            followed("start=2026-03-17T00:00:00"),
            ["start=\"{{ window.start | strftime('%Y-%m-%dT%H:%M:%S') }}\""]
        );
        for literal in
            ["from=5", "starting_after=1773705600&", "status=2026-03-17", "min_amount=100"]
        {
            assert!(
                !followed(literal)[0].contains("window") || literal.starts_with("starting"),
                "{literal}"
            );
        }
    }

    #[test]
    fn one_family_follows_the_window() {
        let kept = |names: &[&str]| {
            let declared = names.iter().filter_map(|name| declared(name, Takes::Instant));
            let mut params: Vec<Param> = declared.collect();
            let others = keep_one_family(&mut params);
            (params.into_iter().map(|param| param.name).collect::<Vec<_>>(), others)
        };
        let (names, others) = kept(&["updated_since", "created_after", "created_before"]);
        assert_eq!(names, ["created_after", "created_before"]);
        assert_eq!(others, ["updated_since"]);
        assert_eq!(kept(&["completedSince", "from", "to"]).0, ["from", "to"]);
        assert_eq!(kept(&["completed_since", "modified_since"]).0, ["modified_since"]);
    }

    #[test]
    fn a_window_is_told_by_name_and_type() {
        let of = |name: &str, takes| declared(name, takes).map(|param| param.value);
        assert_eq!(of("from", Takes::Integer).as_deref(), Some("\"{{ window.start | unix }}\""));
        assert_eq!(
            of("created_before", Takes::Instant).as_deref(),
            Some("\"{{ window.end | iso8601 }}\"")
        );
        assert_eq!(of("date", Takes::Date).as_deref(), Some("\"{{ window.date }}\""));
        assert_eq!(
            of("updated_since", Takes::Other).as_deref(),
            Some("\"{{ window.start | iso8601 }}\"")
        );
        for (name, takes) in [
            ("after", Takes::Other),
            ("after", Takes::Integer),
            ("starting_after", Takes::Other),
            ("max_results", Takes::Integer),
            ("status", Takes::Instant),
            ("from", Takes::Other),
        ] {
            assert_eq!(of(name, takes), None, "{name}");
        }
    }
}
