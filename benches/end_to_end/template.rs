//! Small payments made on the fly: one page of text in which digits are overwritten, so that a server costs far less
//! than a client even at ten million records.

use std::io::Write;

use crate::payments::{FIRST, SPAN, cursor};

/// Records of a page.
pub(crate) const PER_PAGE: u64 = 1000;

/// One record; runs of zeros are places for numbers of as many digits.
const RECORD: &str = r#"{"id":"pay_0000000000","amount":1000000,"currency":"INR","status":"captured","method":"upi","email":"u0000000@example.com","created_at":0000000000,"notes":{"city":"Pune"}}"#;

/// The declared table of these records.
pub(crate) const SCHEMA: &str = r#"version: 1
table: payments
primary_key: [id]
partition_by: created_at
raw_column: _raw
fields:
  - { name: id, type: string, required: true }
  - { name: amount, type: "decimal(18, 2)", integers: minor, required: true }
  - { name: currency, type: string }
  - { name: status, type: string }
  - { name: method, type: string }
  - { name: email, type: string }
  - { name: created_at, type: timestamp, required: true }
  - { name: notes, type: json }
"#;

/// The pages of so many records.
#[derive(Clone)]
pub(crate) struct Template {
    records: u64,
    items: Vec<u8>,
    places: Places,
}

/// Where the numbers stand in a record.
#[derive(Clone, Copy)]
struct Places {
    id: usize,
    amount: usize,
    email: usize,
    created_at: usize,
}

impl Template {
    pub(crate) fn new(records: u64) -> Self {
        let behind = |text: &str| RECORD.find(text).expect("a key of the record") + text.len();
        let places = Places {
            id: behind("\"id\":\"pay_"),
            // Its first digit stays 1: a number has no leading zero.
            amount: behind("\"amount\":1"),
            email: behind("\"email\":\"u"),
            created_at: behind("\"created_at\":"),
        };
        let items = (0..PER_PAGE).flat_map(|n| [if n > 0 { "," } else { "" }, RECORD]).collect();
        Self { records, items: String::into_bytes(items), places }
    }

    /// Page `page`, from 1; `None` behind the last.
    pub(crate) fn page(&mut self, page: u64) -> Option<Vec<u8>> {
        let first = page.checked_sub(1)?.checked_mul(PER_PAGE).filter(|at| *at < self.records)?;
        for (index, record) in (first..).zip(self.items.chunks_mut(RECORD.len() + 1)) {
            let random = index.wrapping_mul(crate::payments::CURSOR_STEP) >> 24;
            let at = FIRST + SPAN - 1 - index * SPAN / self.records;
            put(record, self.places.id, 10, index);
            put(record, self.places.amount, 6, random % 1_000_000);
            put(record, self.places.email, 7, random / 7 % 10_000_000);
            put(record, self.places.created_at, 10, at);
        }
        let more = first + PER_PAGE < self.records;
        let next = if more { format!("\"{}\"", cursor(page + 1)) } else { "null".to_owned() };
        let mut body = Vec::with_capacity(self.items.len() + 200);
        write!(body, r#"{{"total":{},"has_more":{more},"cursor":{next},"items":["#, self.records)
            .expect("memory takes it");
        body.extend_from_slice(&self.items);
        body.extend_from_slice(b"]}");
        Some(body)
    }
}

/// Overwrites `digits` digits from `at` on.
fn put(record: &mut [u8], at: usize, digits: usize, mut number: u64) {
    let place = record.get_mut(at..at + digits).expect("a place in the record");
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}
