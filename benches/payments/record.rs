//! One payment: 28 keys, three objects in it, a third of it null.

use chrono::{DateTime, FixedOffset, SecondsFormat};

use super::Style;
use super::json::Json;
use super::random::Random;

const STATUS: &[&str] = &[
    "captured",
    "captured",
    "captured",
    "captured",
    "captured",
    "captured",
    "captured",
    "captured",
    "failed",
    "authorized",
    "refunded",
];
const METHODS: &[&str] =
    &["upi", "upi", "upi", "upi", "upi", "upi", "card", "card", "netbanking", "wallet"];
const BANKS: &[&str] = &["HDFC", "ICIC", "SBIN", "UTIB", "KKBK"];
const CITIES: &[&str] = &["Bengaluru", "मुंबई", "Chennai", "हैदराबाद", "Pune", "Köln", "São Paulo"];
const NAMES: &[&str] = &["Asha Rao", "रवि कुमार", "Zoë Martin", "J. D'Souza", "Priya N", "Müller K"];
const NETWORKS: &[&str] = &["Visa", "MasterCard", "RuPay"];
const ITEMS: &[&str] = &[
    "Order",
    "Café latte — 250 ml",
    "दूध 1 L",
    "Refill",
    "Crème brûlée",
    "Groceries \"weekly\"",
    "Subscription 🛒",
];
/// Keys that a ragged record may not lack.
const REQUIRED: &[&str] = &["id", "amount", "created_at"];
/// The least amount that a double cannot hold.
const BIG: u64 = (1 << 53) + 1;

/// What is not random about a payment.
pub(super) struct Payment {
    /// Its number in the collection, from 0.
    pub(super) index: u64,
    /// When it was made, in seconds.
    pub(super) at: u64,
    /// Whether its amount is more than a double can hold.
    pub(super) big: bool,
}

type Members = Vec<(&'static str, Json)>;

impl Payment {
    /// The payment and its amount in minor units.
    pub(super) fn item(&self, random: &mut Random, style: Style) -> (Json, u64) {
        let minor = if self.big { BIG } else { random.within(100, 5_000_000) };
        let mut members = self.members(random, minor);
        if style.mixed {
            self.mix(random, &mut members, minor);
        }
        if style.ragged {
            members.retain(|(key, _)| REQUIRED.contains(key) || !random.chance(10));
            add_extra(random, &mut members);
        }
        if style.shuffled {
            shuffle(random, &mut members);
        }
        (Json::Object(members), minor)
    }

    fn members(&self, random: &mut Random, minor: u64) -> Members {
        let status = random.pick(STATUS);
        let method = random.pick(METHODS);
        let (refunded, failed) = (status == "refunded", status == "failed");
        let paid = refunded || status == "captured";
        let fee = minor % 1_000_000 * 2 / 100;
        let captured_at = self.at * 1000 + random.within(2_000, 60_000);
        let mut members = vec![
            ("id", Json::Text(format!("pay_{:08}{}", self.index, random.token(6)))),
            ("entity", Json::text("payment")),
            ("amount", Json::number(minor)),
            ("currency", Json::text(if random.chance(97) { "INR" } else { "USD" })),
            ("base_amount", Json::Text(money(minor))),
            ("status", Json::text(status)),
            ("order_id", some(random.chance(90), || format!("order_{}", random.token(14)))),
            ("invoice_id", Json::null()),
            ("international", flag(random.chance(3))),
            ("method", Json::text(method)),
            ("amount_refunded", Json::number(if refunded { minor / 2 } else { 0 })),
            ("refund_status", some(refunded, || "partial".to_owned())),
            ("captured", flag(paid)),
            ("description", description(random)),
        ];
        members.extend(paid_by(random, method));
        members.extend([
            ("email", Json::Text(format!("user{}@example.com", random.within(0, 1_000_000)))),
            ("contact", Json::Text(format!("+91{}", random.within(7_000_000_000, 10_000_000_000)))),
            ("notes", notes(random)),
            ("fee", Json::raw(short_money(fee))),
            ("tax", Json::Text(money(fee * 18 / 100))),
            ("error_code", some(failed, || "BAD_REQUEST_ERROR".to_owned())),
            (
                "error_description",
                some(failed, || "Payment failed due to insufficient balance".to_owned()),
            ),
            ("acquirer_data", acquirer_data(random, method)),
            ("created_at", Json::number(self.at)),
            ("captured_at", if paid { Json::number(captured_at) } else { Json::null() }),
            ("settled_at", some(paid && random.chance(70), || iso(self.at + 86_400, INDIA, false))),
        ]);
        members
    }

    /// Other types and notations of the same values.
    fn mix(&self, random: &mut Random, members: &mut Members, minor: u64) {
        for (key, value) in members {
            let way = random.within(0, 10);
            let other = match (*key, way) {
                ("amount", 0..2) => Json::Text(money(minor)),
                ("amount", 2) => Json::Raw(money(minor)),
                ("base_amount", 0..3) => Json::Raw(money(minor)),
                ("created_at", 0..2) => Json::number(self.at * 1000),
                ("created_at", 2) => Json::Text(iso(self.at, INDIA, false)),
                ("created_at", 3) => Json::Text(iso(self.at, 0, true)),
                ("created_at", 4) => Json::Text(self.at.to_string()),
                ("captured_at", 0..2) => Json::Text(iso(self.at + 30, INDIA, true)),
                ("captured", 0) => Json::text("true"),
                ("contact", 0) => Json::number(random.within(7_000_000_000, 10_000_000_000)),
                ("notes", 0..2) => Json::Array(Vec::new()),
                ("notes" | "acquirer_data", 2) => Json::null(),
                ("fee", 0..3) => Json::number(way),
                _ => continue,
            };
            *value = other;
        }
    }
}

fn description(random: &mut Random) -> Json {
    some(random.chance(80), || format!("{} #{}", random.pick(ITEMS), random.within(0, 1_000_000)))
}

/// The members that depend on the method.
fn paid_by(random: &mut Random, method: &str) -> Members {
    let card = match method {
        "card" => Json::Object(vec![
            ("id", Json::Text(format!("card_{}", random.token(14)))),
            ("entity", Json::text("card")),
            ("name", Json::text(random.pick(NAMES))),
            ("last4", Json::Text(format!("{:04}", random.within(0, 10_000)))),
            ("network", Json::text(random.pick(NETWORKS))),
            ("type", Json::text("credit")),
            ("issuer", Json::text(random.pick(BANKS))),
            ("international", flag(false)),
            ("emi", flag(false)),
        ]),
        _ => Json::null(),
    };
    vec![
        ("card", card),
        ("bank", some(method == "netbanking", || random.pick(BANKS).to_owned())),
        ("wallet", some(method == "wallet", || "paytm".to_owned())),
        ("vpa", some(method == "upi", || format!("user{}@okhdfc", random.within(0, 1_000_000)))),
    ]
}

fn notes(random: &mut Random) -> Json {
    if !random.chance(85) {
        return Json::Object(Vec::new());
    }
    Json::Object(vec![
        ("city", Json::text(random.pick(CITIES))),
        ("store_id", Json::Text(random.within(100, 999).to_string())),
        ("cart", Json::Text(format!("c-{}", random.within(0, 100_000_000)))),
    ])
}

fn acquirer_data(random: &mut Random, method: &str) -> Json {
    Json::Object(vec![
        ("rrn", Json::Text(format!("{:012}", random.within(0, 1_000_000_000_000)))),
        ("auth_code", some(method != "upi", || format!("{:06}", random.within(0, 1_000_000)))),
    ])
}

/// Keys that no schema declares.
fn add_extra(random: &mut Random, members: &mut Members) {
    for _ in 0..random.within(0, 4) {
        let (key, value) = match random.within(0, 5) {
            0 => ("token_id", Json::null()),
            1 => ("late_authorized", flag(random.chance(50))),
            2 => ("provider", Json::text(random.pick(BANKS))),
            3 => ("reward", Json::Object(vec![("points", Json::number(random.within(0, 500)))])),
            _ => ("offers", Json::Array(vec![Json::Text(random.token(8))])),
        };
        if members.iter().all(|(taken, _)| *taken != key) {
            let length = members.len() as u64;
            let at = usize::try_from(random.within(0, length + 1)).expect("below a length");
            members.insert(at, (key, value));
        }
    }
}

fn shuffle(random: &mut Random, members: &mut Members) {
    random.shuffle(members);
    for (_, value) in members {
        if let Json::Object(inner) = value {
            shuffle(random, inner);
        }
    }
}

fn some(is: bool, text: impl FnOnce() -> String) -> Json {
    if is { Json::Text(text()) } else { Json::null() }
}

fn flag(is: bool) -> Json {
    Json::raw(is.to_string())
}

fn money(minor: u64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// As a double prints: `62.4`, not `62.40`.
fn short_money(minor: u64) -> String {
    let text = money(minor);
    text.strip_suffix('0').unwrap_or(&text).to_owned()
}

const INDIA: i32 = 19_800;

/// ISO 8601 at an offset of so many seconds, `Z` for none where `z`.
fn iso(at: u64, offset: i32, z: bool) -> String {
    let at = DateTime::from_timestamp(i64::try_from(at).expect("this century"), 0);
    let zone = FixedOffset::east_opt(offset).expect("an offset");
    at.expect("this century").with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, z)
}
