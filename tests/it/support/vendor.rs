//! A vendor that changes its API: one page of orders a day, told what has changed by the day it is asked for.

use super::Dice;
use super::paged_api::{DAY, FIRST};
use super::raw_server::{RawServer, Reply, Request};

/// Orders of each weekday, from the weekday of [`FIRST`] on.
const ORDERS: [u64; 7] = [240, 250, 260, 245, 120, 80, 235];

/// What changes, each from a day on, counted from the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changes {
    /// `/upi_ref` comes.
    pub(crate) adds: i64,
    /// `/remark` is called `/note`.
    pub(crate) renames: i64,
    /// `/customer` is an object.
    pub(crate) splits: i64,
    /// `/amount` is in rupees.
    pub(crate) rescales: i64,
    /// `/created_at` is in milliseconds.
    pub(crate) retimes: i64,
    /// `/fee` is a string.
    pub(crate) requotes: i64,
    /// `/status` may be `disputed`, and `/method` may be `wallet`.
    pub(crate) extends: i64,
    /// `/email` is absent from one record of twenty.
    pub(crate) thins: i64,
    /// `/card` is a list.
    pub(crate) nests: i64,
    /// Half of the orders have no `/city` in them but null.
    pub(crate) empties: i64,
    /// There are hardly any orders on this day alone.
    pub(crate) fails: i64,
}

/// None of them ever.
pub(crate) const STEADY: Changes = Changes {
    adds: i64::MAX,
    renames: i64::MAX,
    splits: i64::MAX,
    rescales: i64::MAX,
    retimes: i64::MAX,
    requotes: i64::MAX,
    extends: i64::MAX,
    thins: i64::MAX,
    nests: i64::MAX,
    empties: i64::MAX,
    fails: i64::MAX,
};

/// Starts the vendor.
pub(crate) fn start(changes: Changes) -> RawServer {
    RawServer::start(move |request, _| answer(request, changes))
}

/// The source file.
pub(crate) fn source_yaml(server: &RawServer) -> String {
    format!(
        "version: 1
source: shop
base_url: {}
streams:
  orders:
    schema: orders.yaml
    path: /orders
    params: {{ from: '{{{{ window.start | unix }}}}' }}
    records: /orders
    pagination: {{ type: none }}
",
        server.base_url()
    )
}

/// The schema file, as of the first day.
pub(crate) fn schema_yaml() -> &'static str {
    "# Orders of the shop.
version: 1
table: orders
primary_key: id
partition_by: created_at
reject_limit: 0.5
fields:
  - { name: id, type: string, from: /id, required: true }
  # Money.
  - { name: amount, type: 'decimal(18, 2)', from: /amount, integers: minor }
  - { name: fee, type: 'decimal(18, 4)', from: /fee }
  - { name: status, type: string, from: /status, known: [created, paid, refunded] }
  - { name: method, type: string, from: /method }
  - { name: remark, type: string, from: /remark }
  - { name: customer, type: string, from: /customer }
  - { name: email, type: string, from: /email, pii: true }
  - { name: city, type: string, from: /city }
  - { name: batch, type: string, from: /batch }
  - { name: branch, type: string, from: /branch }
  - { name: network, type: string, from: /card/network }
  - { name: created_at, type: timestamp, from: /created_at, required: true }
"
}

fn answer(request: &Request, changes: Changes) -> Reply {
    let from = request.param("from").and_then(|text| text.parse::<i64>().ok()).unwrap_or(FIRST);
    let day = (from - FIRST) / DAY;
    let weekday = usize::try_from(day.rem_euclid(7)).unwrap();
    let mut dice = Dice::new(u64::try_from(day).unwrap() + 1);
    let usual = ORDERS[weekday] + dice.below(ORDERS[weekday] / 10);
    let many = if day == changes.fails { usual / 10 } else { usual };
    let orders: Vec<String> = (0..many).map(|n| order(&mut dice, day, n, from, changes)).collect();
    Reply::json(200, format!("{{\"orders\":[{}]}}", orders.join(",")))
}

fn order(dice: &mut Dice, day: i64, n: u64, from: i64, changes: Changes) -> String {
    let since = |change: i64| day >= change;
    let paise = 1_000 + dice.below(10_000_000);
    let seconds = from + i64::try_from(dice.below(86_400)).unwrap();
    let pick = |dice: &mut Dice, of: &[&str]| {
        of[usize::try_from(dice.below(of.len() as u64)).unwrap()].to_owned()
    };
    let mut keys = vec![format!("\"id\":\"o{day}-{n}\"")];
    let amount = if since(changes.rescales) { paise / 100 } else { paise };
    keys.push(format!("\"amount\":{amount}"));
    let fee = format!("{}.{:02}", paise / 5_000, paise % 100);
    let quote = if since(changes.requotes) { "\"" } else { "" };
    keys.push(format!("\"fee\":{quote}{fee}{quote}"));
    let (status, method) = match since(changes.extends) && n.is_multiple_of(10) {
        true => ("disputed".to_owned(), "wallet".to_owned()),
        false => (
            pick(dice, &["created", "paid", "refunded"]),
            pick(dice, &["upi", "card", "netbanking"]),
        ),
    };
    keys.push(format!("\"status\":\"{status}\",\"method\":\"{method}\""));
    let remark = if since(changes.renames) { "note" } else { "remark" };
    keys.push(format!("\"{remark}\":\"order {paise}\""));
    keys.push(match since(changes.splits) {
        true => format!("\"customer\":{{\"name\":\"C {n}\",\"tier\":2}}"),
        false => format!("\"customer\":\"C {n}\""),
    });
    if !(since(changes.thins) && n % 20 == 7) {
        keys.push(format!("\"email\":\"c{n}@example.org\""));
    }
    let nowhere = dice.below(10) < if since(changes.empties) { 6 } else { 1 };
    keys.push(if nowhere {
        "\"city\":null".to_owned()
    } else {
        format!("\"city\":\"{}\"", pick(dice, &["Pune", "Delhi", "Köln"]))
    });
    let card = format!("{{\"network\":\"{}\"}}", pick(dice, &["visa", "rupay"]));
    keys.push(match since(changes.nests) {
        true => format!("\"card\":[{card}]"),
        false => format!("\"card\":{card}"),
    });
    // What is no drift: a value of each day's own, and a season of the week.
    keys.push(format!("\"batch\":\"{day}\""));
    let weekend = matches!(day.rem_euclid(7), 4 | 5);
    if dice.below(10) >= if weekend { 4 } else { 1 } {
        keys.push("\"branch\":\"main\"".to_owned());
    }
    if since(changes.adds) {
        keys.push(format!("\"upi_ref\":\"u{paise}\""));
    }
    let created = if since(changes.retimes) { seconds * 1_000 } else { seconds };
    keys.push(format!("\"created_at\":{created}"));
    format!("{{{}}}", keys.join(","))
}
