//! The table of a stream's webhook events (`history: true`): declared here, as no schema file declares it.

use crate::error::Result;
use crate::spec::check::table_of;
use crate::spec::document::Document;
use crate::spec::table::Table;

/// Without a key, as every event is a row of its own; and nothing of it drifts, as its fields are ours.
const FIELDS: &str = "\
partition_by: received_at
raw_column: null
drift: { new_field: ignore, missing_field: ignore, type_changed: ignore, new_value: ignore, renamed: ignore, invalid_value: ignore, mixed_units: ignore, null_rate: ignore, range_moved: ignore, row_count: ignore }
fields:
  - { name: event_id, type: string }
  - { name: event_type, type: string }
  - { name: endpoint, type: string }
  - { name: received_at, type: timestamp, required: true }
  - { name: content_type, type: string }
  - { name: body, type: string }
  - { name: body_base64, type: string }
";

impl Table {
    /// The table `<name>_events` beside this one: event id, type, endpoint, when it was received, and the body as it came
    /// (`body`; one that is no UTF-8 in `body_base64`).
    ///
    /// # Errors
    /// `Config` where the declaration is wrong.
    pub fn of_events(&self) -> Result<Self> {
        let text = format!("version: 1\ntable: {}_events\n{FIELDS}", self.name);
        table_of(Document::parse(&self.file, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_events_stands_beside_its_own() {
        let text = "version: 1\ntable: payments\nfields: [{ name: id, type: string }]\n";
        let table = table_of(Document::parse("f.yaml".as_ref(), text.to_owned())).expect("table");
        let events = table.of_events().expect("events");
        let names: Vec<&str> = events.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!((events.name.as_str(), events.primary_key.len()), ("payments_events", 0));
        assert_eq!(names[..4], ["event_id", "event_type", "endpoint", "received_at"]);
        assert_eq!((events.partition_by, events.raw_column), (Some(3), None));
    }
}
