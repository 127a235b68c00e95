//! Batches to Parquet files by codec, with and without the raw column: the crate's writer beside the `parquet` crate's
//! own with its defaults.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints its table"
)]

#[path = "../measured/mod.rs"]
mod measured;
#[path = "../payments/page.rs"]
mod page;
#[expect(dead_code, reason = "what a page sums up to is for those who check readers")]
#[path = "../payments/mod.rs"]
mod payments;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use lakeward::lake::parquet::{DataFileFormat, DataFileWriter};
use lakeward::lake::store::Lake;
use lakeward::spec::table::{Compression, ParquetOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tokio::runtime::Runtime;

use crate::measured::{CpuTime, cpu_time};
use crate::payments::{Payments, Style};

const PAGES: u64 = 48;
const PER_PAGE: u64 = 1000;

const CODECS: [(&str, Compression); 4] = [
    ("uncompressed", Compression::Uncompressed),
    ("snappy", Compression::Snappy),
    ("zstd-1", Compression::Zstd(1)),
    ("zstd-3", Compression::Zstd(3)),
];

fn main() {
    let mut criterion = measured::criterion().sample_size(10);
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut rows = Vec::new();
    for raw in [true, false] {
        let sample = Sample::new(raw);
        for (name, codec) in CODECS {
            let file = dir.path().join("rows.parquet");
            let own = sample.bench(&mut criterion, ("lakeward", name), &file, |sample| {
                runtime.block_on(write(sample, codec, dir.path()))
            });
            let plain = sample.bench(&mut criterion, ("arrow_writer", name), &file, |sample| {
                write_plain(sample, codec, &file);
            });
            rows.extend(own.zip(plain).map(|(own, plain)| (raw, name, own, plain)));
        }
    }
    criterion.final_summary();
    if !rows.is_empty() {
        print(&rows);
    }
}

/// What a way to write showed.
struct Shown {
    /// MB of JSON a CPU second.
    cpu: f64,
    /// MB of JSON a second of wall time.
    wall: f64,
    /// The file's length over that of the JSON.
    size: f64,
}

/// Decoded pages.
struct Sample {
    raw: bool,
    batches: Vec<RecordBatch>,
    /// Bytes of the pages.
    bytes: usize,
}

impl Sample {
    fn new(raw: bool) -> Self {
        let style = Style::default();
        let payments = Payments { seed: 7, pages: PAGES, per_page: PER_PAGE, style };
        let mut decoder = page::reader(&page::table(raw));
        let mut sample = Self { raw, batches: Vec::new(), bytes: 0 };
        for number in 1..=PAGES {
            let body = Bytes::from(payments.page(number).body);
            sample.batches.push(page::decode(&mut decoder, &body).batch);
            sample.bytes += body.len();
        }
        sample
    }

    #[expect(clippy::cast_precision_loss, reason = "bytes of some pages")]
    fn bench(
        &self,
        criterion: &mut Criterion<CpuTime>,
        (way, codec): (&str, &str),
        file: &Path,
        write: impl Fn(&Self),
    ) -> Option<Shown> {
        let group = if self.raw { "write_raw" } else { "write_typed_only" };
        let name = format!("{way}_{codec}");
        let (mut wall, mut times) = (Duration::ZERO, 0);
        let mut benches = criterion.benchmark_group(group);
        benches.throughput(Throughput::BytesDecimal(self.bytes as u64));
        benches.bench_function(&name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (start, cpu) = (Instant::now(), cpu_time());
                (0..iterations).for_each(|_| write(self));
                wall += start.elapsed();
                times += iterations;
                cpu_time() - cpu
            });
        });
        benches.finish();
        let length = std::fs::metadata(file).ok()?.len();
        (times > 0).then_some(Shown {
            cpu: measured::rate(group, &name, self.bytes)?,
            wall: self.bytes as f64 * times as f64 / 1e6 / wall.as_secs_f64(),
            size: length as f64 / self.bytes as f64,
        })
    }
}

/// As a run writes: deltas, no dictionary where none pays, hashed, made durable.
async fn write(sample: &Sample, compression: Compression, dir: &Path) {
    let lake = Lake::open(dir.to_str().expect("a path")).expect("a lake");
    let options = ParquetOptions {
        compression,
        row_group: None,
        target_file_bytes: 512 << 20,
        open_partitions: 32,
    };
    let schema = sample.batches.first().expect("batches").schema();
    let raw = sample.raw.then_some("_raw");
    let format = DataFileFormat::new(schema, &options, raw, &[]).expect("a format");
    let mut writer = DataFileWriter::create(&lake, "rows.parquet", &format).expect("a writer");
    for batch in &sample.batches {
        writer.write(batch.clone()).await.expect("written");
    }
    writer.close().await.expect("closed");
}

/// As a first try writes: nothing set but the codec.
fn write_plain(sample: &Sample, compression: Compression, file: &Path) {
    let codec = match compression {
        Compression::Uncompressed => Codec::UNCOMPRESSED,
        Compression::Snappy => Codec::SNAPPY,
        Compression::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(level).expect("a level")),
    };
    let properties = WriterProperties::builder().set_compression(codec).build();
    let schema = sample.batches.first().expect("batches").schema();
    let file = File::create(file).expect("a file");
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).expect("a writer");
    for batch in &sample.batches {
        writer.write(batch).expect("written");
    }
    writer.close().expect("closed");
}

fn print(rows: &[(bool, &str, Shown, Shown)]) {
    println!(
        "\n| write | MB of JSON a CPU second | MB a second | of the JSON's size | plain `ArrowWriter` | MB a second | size | ratio of CPU |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (raw, codec, own, plain) in rows {
        let kept = if *raw { "raw kept" } else { "typed only" };
        println!(
            "| {codec}, {kept} | {:.0} | {:.0} | {:.3} | {:.0} | {:.0} | {:.3} | {:.2} |",
            own.cpu,
            own.wall,
            own.size,
            plain.cpu,
            plain.wall,
            plain.size,
            own.cpu / plain.cpu
        );
    }
}
