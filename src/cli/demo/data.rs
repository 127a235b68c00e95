//! Two days of made-up payments, the same on every machine, with the flaws that real APIs have.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, TimeDelta, Utc};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// 2026-03-16T00:00:00Z, the first instant that has payments.
const FIRST: i64 = 1_773_619_200;

/// Distinct records of the first and the second day.
const RECORDS: [u64; 2] = [2_380, 2_640];

/// Where in a day's list, counted from its newest record, the record just sent is sent again: at the
/// page boundaries of a list that new payments moved down while it was read.
const SHIFTED: [(usize, usize); 2] = [(300, 3), (1_400, 2)];

/// One entry of the API's list.
#[derive(Clone, Debug)]
pub struct Payment {
    /// When it was created, in unix seconds: what `from` and `to` select by.
    pub created: i64,
    /// The record as it is sent.
    pub json: String,
    /// Its exact amount in paise; `None` where the record is broken and must be rejected.
    pub paise: Option<i64>,
    /// Whether an earlier entry was the same record.
    pub repeated: bool,
}

/// What a day's window must hold after an extract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTruth {
    /// The UTC day.
    pub day: NaiveDate,
    /// Records sent, repeated ones included.
    pub fetched: u64,
    /// Rows of the table.
    pub written: u64,
    /// Broken records.
    pub rejected: u64,
    /// Records sent a second time.
    pub duplicates: u64,
    /// The exact sum of the rows' amounts, in paise.
    pub paise: i128,
    /// Rows that carry the field `upi_reference`, which the schema does not declare.
    pub upi_references: u64,
}

/// A record's flaw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    AmountNotANumber,
    NoId,
    BareString,
}

/// The API's list, newest first, with its repeated entries in place.
pub fn payments() -> Vec<Payment> {
    let mut list = Vec::new();
    for (day, records) in RECORDS.iter().enumerate().rev() {
        let mut entries = day_of_payments(day, *records);
        entries.sort_by_key(|payment| std::cmp::Reverse(payment.created));
        for (position, count) in &SHIFTED {
            let sent = entries.get(position.saturating_sub(*count)..*position).unwrap_or_default();
            let again: Vec<Payment> = sent
                .iter()
                .filter(|payment| payment.paise.is_some())
                .map(|payment| Payment { repeated: true, ..payment.clone() })
                .collect();
            entries.splice(*position..*position, again);
        }
        list.extend(entries);
    }
    list
}

/// What each day's window must hold, from the list itself.
pub fn expected() -> Vec<DayTruth> {
    let list = payments();
    (0_i64..)
        .zip(RECORDS)
        .filter_map(|(index, _)| {
            let start = FIRST + index * DAY;
            let day = DateTime::from_timestamp(start, 0)?.date_naive();
            Some(truth(day, list.iter().filter(|p| (start..start + DAY).contains(&p.created))))
        })
        .collect()
}

fn truth<'a>(day: NaiveDate, payments: impl Iterator<Item = &'a Payment>) -> DayTruth {
    let mut truth = DayTruth {
        day,
        fetched: 0,
        written: 0,
        rejected: 0,
        duplicates: 0,
        paise: 0,
        upi_references: 0,
    };
    for payment in payments {
        truth.fetched += 1;
        match payment.paise {
            None => truth.rejected += 1,
            Some(_) if payment.repeated => truth.duplicates += 1,
            Some(paise) => {
                truth.written += 1;
                truth.paise += i128::from(paise);
                truth.upi_references += u64::from(payment.json.contains("\"upi_reference\""));
            }
        }
    }
    truth
}

/// The distinct records of one day, oldest first; `day` counts from 0.
fn day_of_payments(day: usize, records: u64) -> Vec<Payment> {
    let start = (0_i64..).nth(day).map_or(FIRST, |day| FIRST + day * DAY);
    let mut dice = Dice(0x6c61_6b65_7761_7264 ^ start.unsigned_abs());
    (0..records)
        .map(|index| {
            let created = start + dice.up_to(DAY.unsigned_abs()).cast_signed();
            payment(&mut dice, created, flaw(day, index), day > 0)
        })
        .collect()
}

/// Three broken records on the first day, seven on the second.
fn flaw(day: usize, index: u64) -> Flaw {
    match (day, index) {
        (0, 211 | 1_630) | (1, 97 | 840 | 1_207 | 2_011) => Flaw::AmountNotANumber,
        (1, 455 | 1_989) => Flaw::NoId,
        (0, 1_044) | (1, 1_500) => Flaw::BareString,
        _ => Flaw::None,
    }
}

fn payment(dice: &mut Dice, created: i64, flaw: Flaw, with_reference: bool) -> Payment {
    let paise = (dice.up_to(499_900) + 100).cast_signed();
    let id = dice.name();
    let order = dice.name();
    let method = dice.pick(&["upi", "upi", "upi", "upi", "card", "card", "netbanking", "wallet"]);
    let status = dice.pick(&["captured", "captured", "captured", "captured", "authorized"]);
    let status = if dice.up_to(20) == 0 { dice.pick(&["failed", "refunded"]) } else { status };
    let amount = match flaw {
        Flaw::AmountNotANumber => "\"n/a\"".to_owned(),
        _ => amount(dice, paise),
    };
    let mut json = String::from("{");
    if flaw != Flaw::NoId {
        let _ = write!(json, "\"id\":\"pay_{id}\",");
    }
    let _ = write!(
        json,
        "\"order_id\":\"order_{order}\",\"amount\":{amount},\"currency\":\"INR\",\"status\":\"{status}\",\
         \"method\":\"{method}\",\"fee\":{fee},\"captured\":{captured},\
         \"notes\":{{\"city\":\"{city}\",\"items\":{items}}}",
        fee = paise / 50,
        captured = status == "captured",
        city = dice.pick(&["Bengaluru", "Chennai", "Delhi", "Mumbai", "Pune", "Kochi"]),
        items = dice.up_to(7) + 1,
    );
    if with_reference && method == "upi" {
        let _ = write!(json, ",\"upi_reference\":\"{:012}\"", dice.up_to(1_000_000_000_000));
    }
    let _ = write!(json, ",\"created_at\":{}}}", instant(dice, created));
    if flaw == Flaw::BareString {
        json = format!("\"pay_{id}\"");
    }
    Payment { created, json, paise: (flaw == Flaw::None).then_some(paise), repeated: false }
}

/// An amount as three teams of one vendor write it: paise, rupees in a string, rupees as a number.
fn amount(dice: &mut Dice, paise: i64) -> String {
    let rupees = format!("{}.{:02}", paise / 100, paise % 100);
    match dice.up_to(10) {
        0 => rupees,
        1 | 2 => format!("\"{rupees}\""),
        _ => paise.to_string(),
    }
}

/// A time as seconds, milliseconds or ISO 8601 in India's zone.
fn instant(dice: &mut Dice, created: i64) -> String {
    match dice.up_to(10) {
        0 | 1 => {
            let zone = FixedOffset::east_opt(5 * 3_600 + 1_800);
            let utc: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::seconds(created);
            zone.map_or_else(
                || created.to_string(),
                |zone| {
                    let text = utc.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false);
                    format!("\"{text}\"")
                },
            )
        }
        2 => format!("{created}{:03}", dice.up_to(1_000)),
        _ => created.to_string(),
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every machine and version, which no
/// general-purpose generator of the `rand` crate promises.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; the bias of the remainder does not matter here.
    fn up_to(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        let index = usize::try_from(self.up_to(of.len() as u64)).unwrap_or_default();
        of.get(index).copied().unwrap_or_default()
    }

    /// Fourteen letters and digits, as Razorpay names things.
    fn name(&mut self) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
        (0..14)
            .filter_map(|_| {
                let index = usize::try_from(self.up_to(LETTERS.len() as u64)).ok()?;
                LETTERS.get(index).map(|letter| char::from(*letter))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn is_the_same_every_time_and_adds_up() {
        let texts = |list: Vec<Payment>| list.into_iter().map(|p| p.json).collect::<Vec<_>>();
        assert_eq!(texts(payments()), texts(payments()));
        for (truth, distinct) in expected().into_iter().zip(RECORDS) {
            assert_eq!(truth.written + truth.rejected, distinct, "{truth:?}");
            assert_eq!(truth.fetched, truth.written + truth.rejected + truth.duplicates);
            assert_eq!(truth.duplicates, 5, "{truth:?}");
        }
    }

    #[test]
    fn has_every_flaw_and_notation() {
        let list = payments();
        assert!(list.iter().filter(|p| p.json.contains("\"amount\":\"n/a\"")).count() == 6);
        assert!(list.iter().filter(|p| p.json.starts_with('"')).count() == 2);
        assert!(list.iter().filter(|p| p.json.starts_with("{\"order_id\"")).count() == 2);
        let kinds: BTreeMap<&str, usize> = list
            .iter()
            .filter(|p| p.json.starts_with('{'))
            .map(|p| {
                let rest = p.json.split_once("\"amount\":").unwrap().1;
                let text = rest.split_once(",\"currency\"").unwrap().0;
                if text.starts_with('"') {
                    "string"
                } else if text.contains('.') {
                    "major"
                } else {
                    "minor"
                }
            })
            .fold(BTreeMap::new(), |mut kinds, kind| {
                *kinds.entry(kind).or_default() += 1;
                kinds
            });
        assert!(kinds["minor"] > kinds["string"] && kinds["string"] > kinds["major"], "{kinds:?}");
        let truths = expected();
        assert_eq!(truths[0].upi_references, 0);
        assert!(truths[1].upi_references > 1_000);
    }

    #[test]
    fn ids_repeat_only_where_the_list_shifted() {
        let list = payments();
        let distinct: BTreeSet<&str> =
            list.iter().filter(|p| !p.repeated).map(|p| p.json.as_str()).collect();
        assert_eq!(distinct.len(), list.iter().filter(|p| !p.repeated).count());
        for pair in list.windows(2).filter(|pair| !pair[1].repeated) {
            assert!(pair[0].created >= pair[1].created, "newest first");
        }
        for payment in list.iter().filter(|p| p.json.starts_with('{')) {
            serde_json::from_str::<serde_json::Value>(&payment.json).unwrap();
        }
    }
}
