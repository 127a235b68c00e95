//! The drift policy of a table, and what a field says otherwise.

use crate::spec::declared::table as declared;
use crate::spec::document::{Document, Place};
use crate::spec::table::{DriftAction, DriftPolicy, Samples};

/// The table's policy: `warn` for what it does not name.
pub(super) fn policy(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::Drift>,
) -> DriftPolicy {
    let usual = DriftPolicy::default();
    let Some(written) = written else { return usual };
    let says = |own, usual| action(own).unwrap_or(usual);
    DriftPolicy {
        new_field: says(written.new_field, usual.new_field),
        missing_field: says(written.missing_field, usual.missing_field),
        type_changed: says(written.type_changed, usual.type_changed),
        new_value: says(written.new_value, usual.new_value),
        renamed: says(written.renamed, usual.renamed),
        invalid_value: says(written.invalid_value, usual.invalid_value),
        mixed_units: says(written.mixed_units, usual.mixed_units),
        null_rate: of_window(document, place, "null_rate", written.null_rate),
        range_moved: of_window(document, place, "range_moved", written.range_moved),
        row_count: of_window(document, place, "row_count", written.row_count),
        samples: samples(written.samples).unwrap_or(usual.samples),
    }
}

/// What holds of one field, where the table's policy is `usual`. Of personal values no sample is full unless the field
/// says so itself.
pub(super) fn of_field(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::FieldDrift>,
    (usual, pii): (DriftPolicy, bool),
) -> DriftPolicy {
    let hidden = if pii { usual.samples.min(Samples::Redacted) } else { usual.samples };
    let Some(written) = written else { return DriftPolicy { samples: hidden, ..usual } };
    let says = |own, usual| action(own).unwrap_or(usual);
    let mut window = |key, own: Option<declared::DriftAction>, usual| match own {
        Some(_) => of_window(document, place, key, own),
        None => usual,
    };
    DriftPolicy {
        null_rate: window("null_rate", written.null_rate, usual.null_rate),
        range_moved: window("range_moved", written.range_moved, usual.range_moved),
        missing_field: says(written.missing_field, usual.missing_field),
        type_changed: says(written.type_changed, usual.type_changed),
        new_value: says(written.new_value, usual.new_value),
        renamed: says(written.renamed, usual.renamed),
        invalid_value: says(written.invalid_value, usual.invalid_value),
        mixed_units: says(written.mixed_units, usual.mixed_units),
        samples: samples(written.samples).unwrap_or(hidden),
        ..usual
    }
}

/// The action for a kind that is known only when the window has ended: there is no row to discard then.
fn of_window(
    document: &mut Document,
    place: &Place,
    key: &str,
    written: Option<declared::DriftAction>,
) -> DriftAction {
    if let Some(declared::DriftAction::DiscardRow) = written {
        document
            .error(&place.key(key), format!("`{key}` is about a whole window, no single row"))
            .hint("one of ignore, warn, fail");
    }
    action(written).unwrap_or(DriftAction::Warn)
}

fn action(written: Option<declared::DriftAction>) -> Option<DriftAction> {
    written.map(|action| match action {
        declared::DriftAction::Ignore => DriftAction::Ignore,
        declared::DriftAction::Warn => DriftAction::Warn,
        declared::DriftAction::DiscardRow => DriftAction::DiscardRow,
        declared::DriftAction::Fail => DriftAction::Fail,
    })
}

fn samples(written: Option<declared::Samples>) -> Option<Samples> {
    written.map(|samples| match samples {
        declared::Samples::None => Samples::None,
        declared::Samples::Redacted => Samples::Redacted,
        declared::Samples::Full => Samples::Full,
    })
}
