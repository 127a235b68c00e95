//! Cost growth: a hundred thousand, a million and ten million records in one window.

use crate::child::{Cost, Server};
use crate::extract::{Extract, Paging};
use crate::table::{Bar, Table, median};
use crate::template;

const SIZES: [u64; 3] = [100_000, 1_000_000, 10_000_000];

/// Bytes of the key index a key: 24 of key and place, and the free slots of its table.
const BYTES_A_KEY: u64 = 31;

struct Point {
    records: f64,
    cpu: f64,
    /// Peak memory in MB, and that less the key index.
    peak: f64,
    rest: f64,
}

/// Adds the rows of this measure.
pub(crate) fn measure(table: &mut Table, runs: usize) {
    let points: Vec<Point> = SIZES.iter().map(|records| point(*records, runs)).collect();
    let [small, middle, big] = points.as_slice() else { return };
    for at in &points {
        let own = format!(
            "{:.3} CPU s, peak {:.0} MB, {:.0} less the key index",
            at.cpu, at.peak, at.rest
        );
        table.note(&format!("growth, {} records", at.records), &own, "");
    }
    let slope = |from: &Point, to: &Point| (to.cpu - from.cpu) / (to.records - from.records) * 1e6;
    let (first, second) = (slope(small, middle), slope(middle, big));
    let bar = Bar::Within(0.9, 1.1);
    table.row(
        &format!("CPU a record; fit of all: {:.3} µs", fit(&points) * 1e6),
        &format!("{second:.3} µs from 1 to 10 million"),
        &format!("{first:.3} µs from 0.1 to 1 million"),
        second / first,
        &bar,
    );
    table.row(
        "peak less the key index",
        &format!("{:.0} MB at 10 million", big.rest),
        &format!("{:.0} MB at 1 million", middle.rest),
        big.rest / middle.rest,
        &bar,
    );
}

#[expect(clippy::cast_precision_loss, reason = "up to ten million records, and their bytes")]
fn point(records: u64, runs: usize) -> Point {
    let api = Server::role("serve", &["made", &records.to_string()]);
    let extract =
        Extract { api: api.address, schema: template::SCHEMA, raw: true, paging: Paging::Cursor };
    let run = |_| extract.run(records).expect("an extract");
    let costs: Vec<Cost> = (0..runs).map(run).collect();
    let peak = median(costs.iter().map(|cost| cost.peak));
    Point {
        records: records as f64,
        cpu: median(costs.iter().map(|cost| cost.cpu)),
        peak,
        rest: peak - index_bytes(records) as f64 / 1e6,
    }
}

/// The key index's memory: about the same a key at any size.
fn index_bytes(keys: u64) -> u64 {
    keys * BYTES_A_KEY
}

/// The slope of the least squares through all points: start-up is what remains.
fn fit(points: &[Point]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few points")]
    let count = points.len() as f64;
    let mean = |of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|at| at.records), mean(|at| at.cpu));
    let up: f64 = points.iter().map(|at| (at.records - x) * (at.cpu - y)).sum();
    let down: f64 = points.iter().map(|at| (at.records - x).powi(2)).sum();
    up / down
}
