//! What the values of one field have in common, and the type that takes them all without bending one.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::cli::sample::names::{has_word, is_label, is_money, is_time};
use crate::cli::sample::tree::Tree;

/// Values that are told apart, to find a key.
const MOST_DISTINCT: usize = 100_000;

/// The values of one field, counted by what they look like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    /// Values that are neither null nor, of rows, empty.
    pub(crate) present: u64,
    /// Empty strings.
    pub(crate) empty: u64,
    bools: u64,
    maps: u64,
    lists: u64,
    numbers: Digits,
    texts: u64,
    bool_texts: u64,
    instants: u64,
    dates: u64,
    /// Strings that are a number.
    number_texts: Digits,
    items: Option<Box<Values>>,
    distinct: HashSet<String>,
    twice: bool,
}

/// Numbers, counted by how they are written.
#[derive(Clone, Debug, Default)]
struct Digits {
    count: u64,
    integers: u64,
    /// Integers between 2001 and 2286 as seconds or milliseconds.
    epochs: u64,
    exponents: u64,
    /// Integers beyond 64 bits.
    huge: u64,
    /// The most digits before and behind the point.
    whole: usize,
    scale: usize,
}

impl Digits {
    /// Counts `text` if it is a number as JSON writes one, but for zeros in front, which an identifier may have.
    fn see(&mut self, text: &str) -> bool {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (digits, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let exponent_fits =
            exponent.is_none_or(|text| all_digits(text.trim_start_matches(['+', '-'])));
        if !all_digits(whole)
            || fraction.is_some_and(|text| !all_digits(text))
            || !exponent_fits
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return false;
        }
        self.count += 1;
        self.exponents += u64::from(exponent.is_some());
        self.whole = self.whole.max(whole.len());
        self.scale = self.scale.max(fraction.map_or(0, str::len));
        if fraction.is_none() && exponent.is_none() {
            self.integers += 1;
            match text.parse::<i64>() {
                Ok(number) => self.epochs += u64::from(is_epoch(number)),
                Err(_) => self.huge += 1,
            }
        }
        true
    }

    /// A decimal that holds them, with room for larger amounts; none beyond 38 digits.
    fn decimal(&self) -> Option<String> {
        let scale = self.scale.max(2);
        if self.exponents > 0 {
            return None;
        }
        let precision = if self.whole + scale <= 16 && scale <= 6 { 18 } else { 38 };
        (self.whole + scale <= precision).then(|| format!("decimal({precision}, {scale})"))
    }
}

fn is_epoch(number: i64) -> bool {
    (1_000_000_000..10_000_000_000).contains(&number)
        || (1_000_000_000_000..10_000_000_000_000).contains(&number)
}

/// A type, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The type as a schema file writes it.
    pub(crate) kind: String,
    /// A sentence for who reads the file.
    pub(crate) note: Option<String>,
}

impl Told {
    fn plain(kind: &str) -> Self {
        Self { kind: kind.to_owned(), note: None }
    }

    fn noted(kind: &str, note: &str) -> Self {
        Self { kind: kind.to_owned(), note: Some(note.to_owned()) }
    }
}

impl Values {
    /// Counts a value. Of `rows` all values are strings, and an empty one is none.
    pub(crate) fn see(&mut self, value: &Tree, rows: bool) {
        let text = match value {
            Tree::Null => return,
            Tree::Text(text) if text.is_empty() => {
                self.empty += 1;
                if rows {
                    return;
                }
                ""
            }
            Tree::Bool(_) => {
                self.bools += 1;
                ""
            }
            Tree::Map(_) => {
                self.maps += 1;
                ""
            }
            Tree::List(items) => {
                self.lists += 1;
                let seen = self.items.get_or_insert_default();
                items.iter().for_each(|item| seen.see(item, rows));
                ""
            }
            Tree::Number(text) => {
                self.numbers.see(text);
                text
            }
            Tree::Text(text) => {
                self.see_text(text);
                text
            }
        };
        self.present += 1;
        if text.is_empty() {
            self.twice = true;
        } else if !self.twice && self.distinct.len() < MOST_DISTINCT {
            self.twice = !self.distinct.insert(text.to_owned());
        }
    }

    fn see_text(&mut self, text: &str) {
        self.texts += 1;
        self.bool_texts += u64::from(matches!(text, "true" | "false"));
        self.instants += u64::from(is_instant(text));
        self.dates +=
            u64::from(NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() && text.len() == 10);
        self.number_texts.see(text);
    }

    /// Whether every record had a value of its own, a string or number: a key, maybe.
    pub(crate) fn is_unique(&self, records: u64) -> bool {
        !self.twice && self.present == records && self.texts + self.numbers.integers == records
    }

    /// The type of a field of this name.
    pub(crate) fn told(&self, name: &str, rows: bool) -> Told {
        let scalars = self.bools + self.numbers.count + self.texts;
        if self.present == 0 {
            let note = "nothing but null or empty in the sample";
            return Told::noted(if rows { "string" } else { "json" }, note);
        }
        if self.maps > 0 || (self.lists > 0 && scalars > 0) {
            return Told::plain("json");
        }
        if self.lists > 0 {
            return self.list();
        }
        let (texts, numbers, bools) = (self.texts, self.numbers.count, self.bools);
        if bools > 0 {
            let only = numbers == 0 && texts == 0;
            return Told::plain(if only { "bool" } else { "string" });
        }
        if texts == 0 && numbers > 0 {
            return of_numbers(&self.numbers, name);
        }
        if numbers == 0 {
            return self.of_texts(name, rows);
        }
        if self.number_texts.count == texts && is_money(name) {
            let mut all = self.numbers.clone();
            all.scale = all.scale.max(self.number_texts.scale);
            all.whole = all.whole.max(self.number_texts.whole);
            all.exponents += self.number_texts.exponents;
            if let Some(decimal) = all.decimal() {
                let note = "written both as numbers and as strings: whole numbers are taken for major units; for cents declare `integers: minor`";
                return Told::noted(&decimal, note);
            }
        }
        if is_time(name) && self.instants == texts && self.numbers.epochs == numbers {
            return Told::noted("timestamp", "written both as a number and as text");
        }
        Told::noted("string", "written both as a number and as text")
    }

    fn list(&self) -> Told {
        let Some(items) = self.items.as_deref().filter(|items| items.present > 0) else {
            return Told::plain("json");
        };
        let one_kind = [items.bools, items.numbers.count, items.texts, items.maps + items.lists]
            .iter()
            .filter(|count| **count > 0)
            .count()
            == 1;
        if !one_kind || items.maps + items.lists > 0 {
            return Told::plain("json");
        }
        let told = items.told("", false);
        Told { kind: format!("list({})", told.kind), note: None }
    }

    fn of_texts(&self, name: &str, rows: bool) -> Told {
        let texts = self.texts;
        if self.instants == texts && texts > 0 {
            return Told::plain("timestamp");
        }
        if self.dates == texts && texts > 0 {
            return Told::plain("date");
        }
        let numbers = &self.number_texts;
        if numbers.count == texts && texts > 0 {
            let fractions = numbers.integers < numbers.count;
            if is_money(name)
                && (fractions || rows)
                && let Some(decimal) = numbers.decimal()
            {
                return Told::plain(&decimal);
            }
            if rows && !is_label(name) {
                return of_numbers(numbers, name);
            }
        }
        if rows && self.bool_texts == texts && texts > 0 {
            return Told::plain("bool");
        }
        Told::plain("string")
    }
}

fn of_numbers(numbers: &Digits, name: &str) -> Told {
    if numbers.integers == numbers.count {
        if is_time(name) && numbers.epochs == numbers.count {
            return Told::noted("timestamp", "a number since the epoch, its unit told by its size");
        }
        if numbers.huge > 0 {
            return Told::plain("decimal(38, 0)");
        }
        if is_money(name) {
            let note = "whole numbers: if they are cents, declare type: \"decimal(18, 2)\", integers: minor";
            return Told::noted("int64", note);
        }
        return Told::plain("int64");
    }
    const MEASURES: [&str; 14] = [
        "lat",
        "lng",
        "lon",
        "latitude",
        "longitude",
        "ratio",
        "percent",
        "percentage",
        "score",
        "probability",
        "confidence",
        "temperature",
        "weight",
        "distance",
    ];
    let measured = has_word(name, &MEASURES);
    match numbers.decimal().filter(|_| !measured) {
        Some(decimal) => Told::noted(
            &decimal,
            "exact; a value with more digits is invalid, unless `round: half_even`",
        ),
        None => Told::plain("float64"),
    }
}

/// Whether `text` is a day with a time (ISO 8601).
fn is_instant(text: &str) -> bool {
    let local = |format: &str| NaiveDateTime::parse_from_str(text, format).is_ok();
    text.len() > 10
        && (DateTime::parse_from_rfc3339(text).is_ok()
            || local("%Y-%m-%dT%H:%M:%S%.f")
            || local("%Y-%m-%d %H:%M:%S%.f")
            || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, values: &str) -> String {
        told(name, values, false)
    }

    fn told(name: &str, values: &str, rows: bool) -> String {
        let tree = Tree::parse(values).expect(values);
        let mut seen = Values::default();
        tree.items().iter().for_each(|value| seen.see(value, rows));
        seen.told(name, rows).kind
    }

    #[test]
    fn a_type_takes_every_value_as_it_is() {
        for (name, values, wanted) in [
            ("captured", "[true, null]", "bool"),
            ("captured", "[true, 1]", "string"),
            ("attempts", "[1, 2]", "int64"),
            ("amount", "[38000]", "int64"),
            ("amount", "[380.00, 12]", "decimal(18, 2)"),
            ("amount", "[\"380.00\", \"1\"]", "decimal(18, 2)"),
            ("amount", "[\"380.00\", 38000]", "decimal(18, 2)"),
            ("rate", "[1.2345678]", "decimal(38, 7)"),
            ("lat", "[28.6139391]", "float64"),
            ("size", "[1e3]", "float64"),
            ("n", "[12345678901234567890]", "decimal(38, 0)"),
            ("created_at", "[1773705600, null]", "timestamp"),
            ("createdAt", "[1773705600123]", "timestamp"),
            ("attempt", "[1773705600]", "int64"),
            ("created_at", "[\"2026-03-17T06:00:00Z\", \"\"]", "timestamp"),
            ("created", "[\"2026-03-17 06:00:00\"]", "timestamp"),
            ("created", "[\"2026-03-17T06:00:00+0530\"]", "timestamp"),
            ("created_at", "[\"2026-03-17T06:00:00Z\", 1773705600]", "timestamp"),
            ("due", "[\"2026-03-17\"]", "date"),
            ("id", "[\"pay_1\", \"\"]", "string"),
            ("zip", "[\"01234\"]", "string"),
            ("code", "[\"12\"]", "string"),
            ("mixed", "[\"x\", 1]", "string"),
            ("tags", "[[\"a\"], [], null]", "list(string)"),
            ("ids", "[[1, 2]]", "list(int64)"),
            ("tags", "[[\"a\", 1]]", "json"),
            ("tags", "[[{}]]", "json"),
            ("tags", "[[]]", "json"),
            ("notes", "[{}, []]", "json"),
            ("notes", "[\"x\", {}]", "json"),
            ("nothing", "[null]", "json"),
        ] {
            assert_eq!(kind(name, values), wanted, "{name} {values}");
        }
    }

    #[test]
    fn of_rows_strings_are_read() {
        for (name, values, wanted) in [
            ("quantity", "[\"1\", \"\"]", "int64"),
            ("amount", "[\"100\", \"1.5\"]", "decimal(18, 2)"),
            ("amount", "[\"100\"]", "decimal(18, 2)"),
            ("order_id", "[\"100\"]", "string"),
            ("zip", "[\"01234\"]", "string"),
            ("quantity", "[\"007\"]", "string"),
            ("paid_at", "[\"1773705600\"]", "timestamp"),
            ("active", "[\"true\", \"false\", \"\"]", "bool"),
            ("note", "[\"\"]", "string"),
            ("note", "[\"x\"]", "string"),
        ] {
            assert_eq!(told(name, values, true), wanted, "{name} {values}");
        }
    }
}
