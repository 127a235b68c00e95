//! Pages to columns, one thread: the library beside other ways to read the same pages, and over pages that are not clean.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints its table"
)]

mod columns;
#[path = "../measured/mod.rs"]
mod measured;
#[path = "../payments/page.rs"]
mod page;
#[path = "../payments/mod.rs"]
mod payments;
mod tape;
mod typed;
mod value;
mod visitor;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::sum;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use bytes::Bytes;
use criterion::{Criterion, Throughput};

use crate::measured::CpuTime;
use crate::payments::{Payments, Style};

/// Pages an iteration: more than the caches of a core hold.
const PAGES: u64 = 8;
const PER_PAGE: u64 = 1000;

fn main() {
    let mut criterion = measured::criterion();
    let clean = Sample::new(Style::default());
    ways(&mut criterion, &clean);
    let variants = variants();
    for (name, sample) in &variants {
        let mut decoder = page::reader(&page::table(true));
        let group = ("variants", *name);
        bench(&mut criterion, group, sample, |body| page::decode(&mut decoder, body).batch);
    }
    criterion.final_summary();
    print_ways(clean.bytes());
    print_variants(&variants);
}

/// The ways to read a page, each with a decoder that goes on from page to page.
fn ways(criterion: &mut Criterion<CpuTime>, sample: &Sample) {
    let mut decoder = page::reader(&page::table(true));
    let raw = |body: &Bytes| page::decode(&mut decoder, body).batch;
    bench(criterion, ("ways", "lakeward"), sample, raw);
    let mut decoder = page::reader(&page::table(false));
    let typed = |body: &Bytes| page::decode(&mut decoder, body).batch;
    bench(criterion, ("ways", "lakeward_typed_only"), sample, typed);
    let mut reader = value::Reader::new();
    bench(criterion, ("ways", "serde_json_value"), sample, |body| reader.decode(body));
    let mut reader = visitor::Reader::new();
    bench(criterion, ("ways", "serde_visitor"), sample, |body| reader.decode(body));
    let mut reader = typed::Reader::new();
    bench(criterion, ("ways", "arrow_json"), sample, |body| reader.decode(body));
    let mut reader = tape::Reader::new();
    bench(criterion, ("ways", "simd_json"), sample, |body| reader.decode(body));
}

fn bench(
    criterion: &mut Criterion<CpuTime>,
    (group, name): (&str, &str),
    sample: &Sample,
    mut decode: impl FnMut(&Bytes) -> RecordBatch,
) {
    sample.check(&mut decode);
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::BytesDecimal(sample.bytes() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| sample.bodies.iter().map(|body| decode(body).num_rows()).sum::<usize>());
    });
    group.finish();
}

/// Pages, and the sum of their amounts.
struct Sample {
    bodies: Vec<Bytes>,
    amount: i128,
}

impl Sample {
    fn new(style: Style) -> Self {
        let payments = Payments { seed: 7, pages: PAGES, per_page: PER_PAGE, style };
        let made: Vec<_> = (1..=PAGES).map(|page| payments.page(page)).collect();
        let amount = made.iter().map(|made| made.amount).sum();
        Self { bodies: made.into_iter().map(|made| made.body.into()).collect(), amount }
    }

    fn bytes(&self) -> usize {
        self.bodies.iter().map(Bytes::len).sum()
    }

    /// That a way reads every record, and money exactly: a faster wrong answer is none.
    fn check(&self, decode: &mut impl FnMut(&Bytes) -> RecordBatch) {
        let batches: Vec<RecordBatch> = self.bodies.iter().map(decode).collect();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as u64, PAGES * PER_PAGE, "rows");
        let amount: i128 = batches.iter().map(amount).sum();
        assert_eq!(amount, self.amount, "the sum of the amounts");
    }
}

fn amount(batch: &RecordBatch) -> i128 {
    let column = batch.column_by_name("amount").expect("amounts");
    match column.data_type() {
        DataType::Int64 => sum(column.as_primitive::<Int64Type>()).map(i128::from),
        _ => sum(column.as_primitive::<Decimal128Type>()),
    }
    .expect("amounts")
}

fn variants() -> Vec<(&'static str, Sample)> {
    let clean = Style::default();
    let styles = [
        ("clean", clean),
        ("pretty", Style { pretty: true, ..clean }),
        ("shuffled", Style { shuffled: true, ..clean }),
        ("mixed", Style { mixed: true, ..clean }),
        ("ragged", Style { ragged: true, ..clean }),
    ];
    styles.into_iter().map(|(name, style)| (name, Sample::new(style))).collect()
}

fn print_ways(bytes: usize) {
    let rate = |name| measured::rate("ways", name, bytes);
    let Some(own) = rate("lakeward") else { return };
    println!("\n| decode to columns | MB a CPU second | lakeward is | bar |\n|---|---|---|---|");
    println!("| lakeward: raw, drift, rejects | {own:.0} | 1.0 | |");
    let peers = [
        ("lakeward, `raw_column: null`", "lakeward_typed_only", ""),
        ("serde_json `Value`: raw, paths", "serde_json_value", "7, stretch 10"),
        ("serde visitor, `RawValue`: raw, undeclared keys", "serde_visitor", ""),
        ("arrow-json: typed only", "arrow_json", "3, stretch 4"),
        ("simd-json tape: typed only", "simd_json", ""),
    ];
    for (title, name, bar) in peers {
        let Some(peer) = rate(name) else { continue };
        println!("| {title} | {peer:.0} | {:.2} | {bar} |", own / peer);
    }
}

fn print_variants(variants: &[(&str, Sample)]) {
    let rate = |(name, sample): &(&str, Sample)| measured::rate("variants", name, sample.bytes());
    let Some(clean) = variants.first().and_then(rate) else { return };
    println!("\n| pages | MB a CPU second | of the clean rate | bar |\n|---|---|---|---|");
    for variant in variants {
        let Some(own) = rate(variant) else { continue };
        let bar = if variant.0 == "clean" { "" } else { "0.5" };
        println!("| {} | {own:.0} | {:.2} | {bar} |", variant.0, own / clean);
    }
}
