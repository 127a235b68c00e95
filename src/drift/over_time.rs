//! What only earlier windows can tell: shares, sizes, values and counts that are far from what they were.
//!
//! What a window may differ in is learnt from how earlier ones differed among themselves: a share is far where it is
//! outside of all of theirs by more than chance gives a window of its size, a size where it is outside by sixteen times.

use std::collections::BTreeMap;

use chrono::{Datelike as _, TimeDelta};

use crate::decode::extent::Extent;
use crate::decode::shape::{FieldShape, ValueCount};
use crate::decode::sighting::Sighting;
use crate::drift::compare::{Comparison, Draft, answering_path, share};
use crate::drift::finding::FindingKind;
use crate::drift::history::Past;
use crate::drift::profile::{FieldProfile, Profile};
use crate::drift::suggest;
use crate::spec::table::{Field, FieldType, Samples, Scalar};
use crate::window::Window;

/// Earlier windows that are enough to tell what is usual.
const ENOUGH: usize = 3;
/// Earlier windows of a day that know a whole week; of fewer, and of shorter ones, only what is far off is told.
const WEEK: usize = 7;
/// How far that is, as a difference of shares.
const FAR: f64 = 0.5;
/// Earlier windows that tell whether a string has new values now and then.
const ENOUGH_VALUES: usize = 6;
/// Records that a window needs to say what is usual.
const MIN_RECORDS: u64 = 20;
/// The least difference between shares that matters.
const MIN_SHARE: f64 = 0.02;
/// How many times the deviation that chance gives.
const DEVIATIONS: f64 = 5.0;
/// How far a middle value may move, in powers of two.
const MIN_MAGNITUDES: f64 = 4.0;
/// Records in earlier windows before an unseen value is new.
const MIN_SEEN: u64 = 200;
/// Windows of any weekday that tell the usual count, where there are too few of the same weekday.
const ENOUGH_COUNTS: usize = 7;

impl Comparison<'_> {
    /// Compares the window with earlier ones, field by field and as a whole.
    pub(super) fn over_time(&mut self, window: &Window) {
        let now = Profile::of(self.table, self.shape);
        self.row_count(&now, window);
        if now.observed < MIN_RECORDS {
            return;
        }
        let (table, shape) = (self.table, self.shape);
        for (field, seen) in table.fields.iter().zip(&shape.fields) {
            let Some(profile) = now.fields.get(&field.name) else { continue };
            let past = self.past(field, profile);
            if past.len() < ENOUGH {
                continue;
            }
            let whole_week = past.len() >= WEEK && window.end - window.start >= TimeDelta::days(1);
            let least = if whole_week { MIN_SHARE } else { FAR };
            self.present_less(field, seen, profile, (&past, least));
            self.null_rate(field, seen, profile, (&past, least));
            self.range_moved(field, seen, &profile.extent, &past);
            self.unseen_value(field, seen, profile, &past);
        }
    }

    /// What earlier windows with records enough showed of the field, where it had the same type; the earliest first.
    fn past(&self, field: &Field, now: &FieldProfile) -> Vec<Observed> {
        let enough = self.earlier.windows.iter().filter(|p| p.profile.observed >= MIN_RECORDS);
        let mut past: Vec<&Past> = enough.collect();
        past.sort_by_key(|past| past.window.start);
        past.into_iter()
            .filter_map(|past| {
                let profile = past.profile.fields.get(&field.name)?;
                let same = profile.kind == now.kind;
                same.then(|| Observed { records: past.profile.observed, profile: profile.clone() })
            })
            .collect()
    }

    /// A field that fewer records have than in any earlier window.
    fn present_less(
        &mut self,
        field: &Field,
        seen: &FieldShape,
        now: &FieldProfile,
        (past, least): (&[Observed], f64),
    ) {
        let absent = Share { part: now.absent, of: self.shape.observed };
        // Absent everywhere, or required: that is said already.
        if absent.part == absent.of || absent.part == 0 || field.required {
            return;
        }
        let absences = past.iter().map(|p| Share { part: p.profile.absent, of: p.records });
        let usual = Usual::of(absences, least);
        if usual.is_above(absent) {
            let expected = if usual.most > 0.0 {
                format!("in {} of the records or more", percent(1.0 - usual.most))
            } else {
                "in every record".to_owned()
            };
            self.missing_from(field, seen, format!("{expected}, as in earlier windows"));
        }
    }

    /// A share of nulls, or of empty strings, that no earlier window had.
    fn null_rate(
        &mut self,
        field: &Field,
        seen: &FieldShape,
        now: &FieldProfile,
        (past, least): (&[Observed], f64),
    ) {
        let nulls = blank(now, self.shape.observed);
        let usual = Usual::of(past.iter().map(|p| blank(&p.profile, p.records)), least);
        if !(usual.is_above(nulls) || usual.is_below(nulls)) {
            return;
        }
        let (null, empty) = (now.null, now.empty);
        let observed = [("null", null), ("empty", empty), ("present", nulls.of - nulls.part)];
        let observed = observed.into_iter().filter(|(_, count)| *count > 0);
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::NullRate,
                path: answering_path(seen),
                expected: format!("null or empty in {}, as in earlier windows", usual.shown()),
                observed: observed.map(|(what, count)| (what.to_owned(), count)).collect(),
                sighting: Sighting { count: nulls.part, ..Sighting::default() },
                suggestion: suggest::ignored_of(FindingKind::NullRate, field, self.table),
            },
        );
    }

    /// Numbers whose middle is far from the middles of earlier windows.
    fn range_moved(&mut self, field: &Field, seen: &FieldShape, now: &Extent, past: &[Observed]) {
        let middles: Vec<f64> =
            past.iter().filter_map(|past| middle(&past.profile.extent)).collect();
        let Some(middle) = middle(now).filter(|_| middles.len() >= ENOUGH) else { return };
        let least = middles.iter().copied().fold(f64::INFINITY, f64::min);
        let most = middles.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (times, how) = match middle {
            _ if middle > most + MIN_MAGNITUDES => (middle - most, "larger"),
            _ if middle < least - MIN_MAGNITUDES => (least - middle, "smaller"),
            _ => return,
        };
        let scale = scale(field);
        let (least, most) = (least.exp2() / scale, most.exp2() / scale);
        let moved = format!("about {} times {how}", rounded(times.exp2()));
        let (expected, observed) = match field.drift.samples {
            Samples::Full => (
                format!("a middle from {} to {}", rounded(least), rounded(most)),
                format!("middle near {}, {moved}", rounded(middle.exp2() / scale)),
            ),
            Samples::None | Samples::Redacted => ("about the same middle".to_owned(), moved),
        };
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::RangeMoved,
                path: answering_path(seen),
                expected: format!("{expected}, as in earlier windows"),
                observed: BTreeMap::from([(observed, seen.present)]),
                sighting: first_of(seen),
                suggestion: suggest::ignored_of(FindingKind::RangeMoved, field, self.table),
            },
        );
    }

    /// A value that no earlier window had, of a string that has few and has had no new one for long.
    fn unseen_value(
        &mut self,
        field: &Field,
        seen: &FieldShape,
        now: &FieldProfile,
        past: &[Observed],
    ) {
        let Some(values) = now.values.as_ref().filter(|_| field.known.is_empty()) else { return };
        let Some(all) = usual_values(past) else { return };
        let new: Vec<_> =
            values.iter().filter(|(value, _)| !all.contains_key(value.as_str())).collect();
        if new.is_empty() {
            return;
        }
        let known: Vec<String> = all.keys().map(|value| (*value).to_owned()).collect();
        let one_of = match field.drift.samples {
            Samples::Full => known.join(" or "),
            Samples::None | Samples::Redacted => format!("{} values", known.len()),
        };
        let unknown_values =
            new.iter().map(|(value, count)| ValueCount { value: (*value).clone(), count: **count });
        let seen_new = FieldShape { unknown_values: unknown_values.collect(), ..seen.clone() };
        let declared = Field { known, ..field.clone() };
        self.add(
            &field.drift,
            Draft {
                kind: FindingKind::NewValue,
                path: answering_path(seen),
                expected: format!("one of {one_of}, as in earlier windows"),
                observed: new.iter().map(|(value, count)| ((*value).clone(), **count)).collect(),
                sighting: Sighting {
                    count: new.iter().map(|(_, count)| **count).sum(),
                    ..Sighting::default()
                },
                suggestion: suggest::new_value(&declared, &seen_new, self.table),
            },
        );
    }

    /// A number of records that is less than half, or more than twice, of what such windows have.
    fn row_count(&mut self, now: &Profile, window: &Window) {
        let length = window.end - window.start;
        let same_length =
            self.earlier.windows.iter().filter(|p| p.window.end - p.window.start == length);
        let same_length: Vec<&Past> = same_length.collect();
        let like = |past: &&&Past| {
            past.window.start.weekday() == window.start.weekday()
                && past.window.start.time() == window.start.time()
        };
        let alike: Vec<u64> = same_length.iter().filter(like).map(|p| p.profile.records).collect();
        let of_weekday = alike.len() >= ENOUGH;
        let (counts, of) = if of_weekday {
            (alike, format!("earlier {}s", window.start.format("%A")))
        } else if same_length.len() >= ENOUGH_COUNTS {
            (same_length.iter().map(|p| p.profile.records).collect(), "earlier windows".to_owned())
        } else {
            return;
        };
        let mut counts = counts;
        counts.sort_unstable();
        // One outage among them does not make the next one usual.
        let place = if of_weekday { (counts.len() - 1) / 2 } else { 1 };
        let (least, most) = (counts.get(place), counts.iter().rev().nth(place));
        let (Some(least), Some(most)) = (least, most) else { return };
        let few = now.records < least / 2 && *least >= MIN_RECORDS;
        let many = now.records / 2 > *most && now.records >= MIN_RECORDS;
        if !(few || many) {
            return;
        }
        self.add(
            &self.table.drift,
            Draft {
                kind: FindingKind::RowCount,
                path: "",
                expected: match least == most {
                    true => format!("about {least} records, as in {of}"),
                    false => format!("{least} to {most} records, as in {of}"),
                },
                observed: BTreeMap::from([("records".to_owned(), now.records)]),
                sighting: Sighting { count: now.records, ..Sighting::default() },
                suggestion: suggest::ignored(FindingKind::RowCount, &self.table.drift),
            },
        );
    }
}

/// What one earlier window showed of a field.
struct Observed {
    records: u64,
    profile: FieldProfile,
}

/// A part of a window's records.
#[derive(Clone, Copy)]
struct Share {
    part: u64,
    of: u64,
}

/// What such a share usually is.
struct Usual {
    least: f64,
    most: f64,
    /// Of all earlier windows together, one more on either side, so that nothing is for certain.
    chance: f64,
    /// The least difference that matters.
    margin: f64,
}

impl Usual {
    fn of(shares: impl Iterator<Item = Share>, margin: f64) -> Self {
        let shares: Vec<Share> = shares.filter(|one| one.of > 0).collect();
        let part: u64 = shares.iter().map(|one| one.part).sum();
        let of: u64 = shares.iter().map(|one| one.of).sum();
        let mut values: Vec<f64> = shares.iter().map(|one| share(one.part, one.of)).collect();
        values.sort_by(f64::total_cmp);
        // Of two weeks and more, one bad window does not make the next one usual.
        let place = usize::from(values.len() > 2 * WEEK);
        let least = values.get(place).copied().unwrap_or_default();
        let most = values.iter().rev().nth(place).copied().unwrap_or_default();
        Self { least, most, chance: share(part + 1, of + 2), margin }
    }

    fn is_above(&self, now: Share) -> bool {
        now.of > 0 && share(now.part, now.of) > self.most + self.margin(now)
    }

    fn is_below(&self, now: Share) -> bool {
        now.of > 0 && share(now.part, now.of) < self.least - self.margin(now)
    }

    #[expect(clippy::cast_precision_loss, reason = "a deviation needs no more than 52 bits")]
    fn margin(&self, now: Share) -> f64 {
        let deviation = (self.chance * (1.0 - self.chance) / now.of as f64).sqrt();
        (DEVIATIONS * deviation).max(self.margin)
    }

    fn shown(&self) -> String {
        if percent(self.least) == percent(self.most) {
            return percent(self.most);
        }
        format!("{} to {}", percent(self.least), percent(self.most))
    }
}

/// The values of a string in earlier windows, where another one would be news: they are few, and have been the same for
/// long.
fn usual_values(past: &[Observed]) -> Option<BTreeMap<&str, u64>> {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    let mut with_news = 0;
    for (n, past) in past.iter().enumerate() {
        let values = past.profile.values.as_ref()?;
        let is_new = |value: &String| !all.contains_key(value.as_str());
        with_news += usize::from(n > 0 && values.keys().any(is_new));
        for (value, count) in values {
            *all.entry(value).or_default() += count;
        }
    }
    // Where every few windows have a value of their own, another such is no news; nor is it where some value was seen but a
    // few times (Good and Turing).
    let often = past.len() >= ENOUGH_VALUES && with_news * 10 <= past.len();
    let rare = all.values().any(|count| *count < 5);
    let enough = all.values().sum::<u64>() >= MIN_SEEN;
    (often && !rare && enough).then_some(all)
}

/// The records that have the field and nothing in it.
fn blank(profile: &FieldProfile, records: u64) -> Share {
    let of = records.saturating_sub(profile.absent);
    let empty = if profile.kind == "string" { profile.empty } else { 0 };
    let filled = profile.present.saturating_sub(empty);
    Share { part: of.saturating_sub(filled), of }
}

/// The middle of the numbers other than zero, as a power of two; `None` where they are few.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn middle(extent: &Extent) -> Option<f64> {
    let numbers: u64 = extent.magnitudes.values().sum();
    if numbers < MIN_RECORDS {
        return None;
    }
    let mut before = 0;
    for (magnitude, count) in &extent.magnitudes {
        if (before + count) * 2 >= numbers {
            let inside = (numbers as f64 / 2.0 - before as f64) / *count as f64;
            return Some(f64::from(*magnitude) + inside);
        }
        before += count;
    }
    None
}

/// By what the numbers of an extent are to be divided.
fn scale(field: &Field) -> f64 {
    match field.kind {
        FieldType::Scalar(Scalar::Decimal { scale, .. }) => 10_f64.powi(i32::from(scale)),
        FieldType::Scalar(Scalar::Float64) => 1e6,
        _ => 1.0,
    }
}

/// The first record with a value.
fn first_of(seen: &FieldShape) -> Sighting {
    let answered = seen.pointers.iter().map(|pointer| &pointer.answered);
    let most = answered.max_by_key(|sighting| sighting.count);
    Sighting { count: seen.present, ..most.cloned().unwrap_or_default() }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Two digits that say something.
fn rounded(number: f64) -> String {
    if number >= 10.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}
