//! The columns that the hand-written peers fill: the declared ones, through Arrow's builders.

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use chrono::DateTime;

/// What a column holds, and how its numbers are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bool,
    /// `decimal(18, 2)`; an integer is in minor units.
    Minor,
    /// `decimal(18, 2)`; an integer is in major units.
    Major,
    Time,
    /// The subtree's text.
    Json,
}

/// The object that a value stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Record,
    Card,
    Acquirer,
}

impl Object {
    /// The object below this one at `key`, where it holds columns.
    pub(crate) fn below(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Record, "card") => Some(Self::Card),
            (Self::Record, "acquirer_data") => Some(Self::Acquirer),
            _ => None,
        }
    }
}

use Kind::{Bool, Json, Major, Minor, Text, Time};
use Object::{Acquirer, Card, Record};

/// Name, object that it stands in, key, kind: as in `payments.yaml`.
pub(crate) const FIELDS: [(&str, Object, &str, Kind); 32] = [
    ("id", Record, "id", Text),
    ("amount", Record, "amount", Minor),
    ("currency", Record, "currency", Text),
    ("base_amount", Record, "base_amount", Major),
    ("status", Record, "status", Text),
    ("order_id", Record, "order_id", Text),
    ("invoice_id", Record, "invoice_id", Text),
    ("international", Record, "international", Bool),
    ("method", Record, "method", Text),
    ("amount_refunded", Record, "amount_refunded", Minor),
    ("refund_status", Record, "refund_status", Text),
    ("captured", Record, "captured", Bool),
    ("description", Record, "description", Text),
    ("card_id", Card, "id", Text),
    ("card_name", Card, "name", Text),
    ("card_last4", Card, "last4", Text),
    ("card_network", Card, "network", Text),
    ("bank", Record, "bank", Text),
    ("wallet", Record, "wallet", Text),
    ("vpa", Record, "vpa", Text),
    ("email", Record, "email", Text),
    ("contact", Record, "contact", Text),
    ("notes", Record, "notes", Json),
    ("fee", Record, "fee", Major),
    ("tax", Record, "tax", Major),
    ("error_code", Record, "error_code", Text),
    ("error_description", Record, "error_description", Text),
    ("rrn", Acquirer, "rrn", Text),
    ("auth_code", Acquirer, "auth_code", Text),
    ("created_at", Record, "created_at", Time),
    ("captured_at", Record, "captured_at", Time),
    ("settled_at", Record, "settled_at", Time),
];

/// Which column a key goes to. Keys mostly come in the order of last time: the search begins behind the last hit.
pub(crate) struct Keys {
    objects: [ObjectKeys; 3],
}

struct ObjectKeys {
    own: Vec<(&'static str, usize)>,
    next: Cell<usize>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let objects = [Record, Card, Acquirer].map(|object| {
            let own = FIELDS.iter().enumerate().filter(|(_, (_, of, ..))| *of == object);
            let own = own.map(|(column, (_, _, key, _))| (*key, column)).collect();
            ObjectKeys { own, next: Cell::new(0) }
        });
        Self { objects }
    }

    /// The column of `key` in `object`.
    pub(crate) fn column(&self, object: Object, key: &str) -> Option<usize> {
        let ObjectKeys { own, next } = self.objects.get(object as usize)?;
        let (before, after) = own.split_at(next.get());
        let at = after.iter().position(|(own, _)| *own == key).map(|at| at + before.len());
        let at = at.or_else(|| before.iter().position(|(own, _)| *own == key))?;
        next.set(at + 1);
        Some(own[at].1)
    }
}

/// A scalar as a parser gives it.
#[derive(Clone, Copy)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// A number with a fraction that went through a double.
    Float(f64),
    /// A number with a fraction, as its text.
    Exact(&'a str),
    Text(&'a str),
}

enum Builder {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Decimal(Decimal128Builder),
    Time(TimestampMicrosecondBuilder),
}

/// One builder a column.
pub(crate) struct Columns {
    builders: Vec<(Kind, Builder)>,
    raw: Option<StringBuilder>,
}

impl Columns {
    /// Empty columns.
    pub(crate) fn new(raw: bool) -> Self {
        let builder = |kind| match kind {
            Text | Json => Builder::Text(StringBuilder::new()),
            Bool => Builder::Bool(BooleanBuilder::new()),
            Minor | Major => {
                let money = Decimal128Builder::new().with_precision_and_scale(18, 2);
                Builder::Decimal(money.expect("a decimal"))
            }
            Time => Builder::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        };
        let builders = FIELDS.iter().map(|(.., kind)| (*kind, builder(*kind))).collect();
        Self { builders, raw: raw.then(StringBuilder::new) }
    }

    /// Appends a value to the column of this number.
    pub(crate) fn push(&mut self, column: usize, value: Scalar<'_>) {
        let (kind, builder) = &mut self.builders[column];
        match builder {
            Builder::Text(texts) => match value {
                Scalar::Text(text) | Scalar::Exact(text) => texts.append_value(text),
                Scalar::Integer(number) => texts.append_value(number.to_string()),
                _ => texts.append_null(),
            },
            Builder::Bool(flags) => flags.append_option(match value {
                Scalar::Bool(flag) => Some(flag),
                _ => None,
            }),
            Builder::Decimal(money) => money.append_option(decimal(value, *kind == Minor)),
            Builder::Time(times) => times.append_option(micros(value)),
        }
    }

    /// Appends a record's text.
    pub(crate) fn push_raw(&mut self, text: &str) {
        if let Some(raw) = &mut self.raw {
            raw.append_value(text);
        }
    }

    /// The batch; the columns are empty again.
    pub(crate) fn finish(&mut self) -> RecordBatch {
        let finish = |builder: &mut Builder| -> ArrayRef {
            match builder {
                Builder::Text(builder) => Arc::new(builder.finish()),
                Builder::Bool(builder) => Arc::new(builder.finish()),
                Builder::Decimal(builder) => Arc::new(builder.finish()),
                Builder::Time(builder) => Arc::new(builder.finish()),
            }
        };
        let columns = self.builders.iter_mut().zip(FIELDS);
        let mut columns: Vec<(&str, ArrayRef, bool)> =
            columns.map(|((_, builder), (name, ..))| (name, finish(builder), true)).collect();
        if let Some(raw) = &mut self.raw {
            columns.push(("_raw", Arc::new(raw.finish()), true));
        }
        RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
    }
}

fn decimal(value: Scalar<'_>, minor: bool) -> Option<i128> {
    match value {
        Scalar::Integer(number) if minor => Some(i128::from(number)),
        Scalar::Integer(number) => Some(i128::from(number) * 100),
        #[expect(clippy::cast_possible_truncation, reason = "as such scripts do")]
        Scalar::Float(number) => Some((number * 100.0).round() as i128),
        Scalar::Exact(text) | Scalar::Text(text) => money(text),
        Scalar::Null | Scalar::Bool(_) => None,
    }
}

/// Minor units of `380.00`, `62.4` or `7`.
fn money(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i128 = whole.parse().ok()?;
    let digits: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    match fraction.len() {
        0 => Some(whole * 100),
        1 => Some(whole * 100 + digits * 10),
        2 => Some(whole * 100 + digits),
        _ => None,
    }
}

fn micros(value: Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Integer(number) if number < 10_000_000_000 => Some(number * 1_000_000),
        Scalar::Integer(number) => Some(number * 1000),
        Scalar::Text(text) => {
            DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_micros())
        }
        _ => None,
    }
}
