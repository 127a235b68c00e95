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

use Kind::{Bool, Json, Major, Minor, Text, Time};

/// Name, object that it stands in (`""`: the record itself), key, kind: as in `payments.yaml`.
pub(crate) const FIELDS: [(&str, &str, &str, Kind); 32] = [
    ("id", "", "id", Text),
    ("amount", "", "amount", Minor),
    ("currency", "", "currency", Text),
    ("base_amount", "", "base_amount", Major),
    ("status", "", "status", Text),
    ("order_id", "", "order_id", Text),
    ("invoice_id", "", "invoice_id", Text),
    ("international", "", "international", Bool),
    ("method", "", "method", Text),
    ("amount_refunded", "", "amount_refunded", Minor),
    ("refund_status", "", "refund_status", Text),
    ("captured", "", "captured", Bool),
    ("description", "", "description", Text),
    ("card_id", "card", "id", Text),
    ("card_name", "card", "name", Text),
    ("card_last4", "card", "last4", Text),
    ("card_network", "card", "network", Text),
    ("bank", "", "bank", Text),
    ("wallet", "", "wallet", Text),
    ("vpa", "", "vpa", Text),
    ("email", "", "email", Text),
    ("contact", "", "contact", Text),
    ("notes", "", "notes", Json),
    ("fee", "", "fee", Major),
    ("tax", "", "tax", Major),
    ("error_code", "", "error_code", Text),
    ("error_description", "", "error_description", Text),
    ("rrn", "acquirer_data", "rrn", Text),
    ("auth_code", "acquirer_data", "auth_code", Text),
    ("created_at", "", "created_at", Time),
    ("captured_at", "", "captured_at", Time),
    ("settled_at", "", "settled_at", Time),
];

/// Which column a key goes to. Keys mostly come in the order of last time: the search begins behind the last hit.
pub(crate) struct Keys {
    objects: [ObjectKeys; 3],
}

struct ObjectKeys {
    parent: &'static str,
    /// Owned: near the end of the constants' last page glibc's `memcmp` is slow beyond measure on some machines.
    own: Vec<(String, usize)>,
    next: Cell<usize>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let objects = ["", "card", "acquirer_data"].map(|parent| {
            let own = FIELDS.iter().enumerate().filter(|(_, (_, object, ..))| *object == parent);
            let own = own.map(|(column, (_, _, key, _))| ((*key).to_owned(), column)).collect();
            ObjectKeys { parent, own, next: Cell::new(0) }
        });
        Self { objects }
    }

    /// The column of `key` in the object `parent`.
    pub(crate) fn column(&self, parent: &str, key: &str) -> Option<usize> {
        let ObjectKeys { own, next, .. } = self.objects.iter().find(|o| o.parent == parent)?;
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
