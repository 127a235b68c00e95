//! The same pages landed by the binary and by its peers, whole processes in turn.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::child::{Cost, Server};
use crate::extract::{Extract, Paging, SCHEMA};
use crate::places::{self, Data};
use crate::table::{Bar, Table, median};

/// A thousand pages of a hundred records, against the best configuration of dlt.
pub(crate) fn small(table: &mut Table, runs: usize) {
    let data = places::data("small", 100);
    let api = serve(table, &data);
    let dlt = places::python_with("dlt")
        .and_then(|(_, version)| Ok((version, best_dlt(&api, &data, runs.min(2))?)));
    if let Err(why) = &dlt {
        table.note("small: dlt", "", &format!("skipped: {why}"));
    }
    for (raw, bar) in [(true, 1.0 / 20.0), (false, 1.0 / 30.0)] {
        let own = costs(runs, || own(&api, &data, raw));
        note(table, &data, raw, &own);
        let (Ok(own), Ok((version, (mode, dlt)))) = (own, &dlt) else { continue };
        let title = format!("small, {}: CPU s", kept(raw));
        let peer = format!("dlt {version} ({mode}): {:.2}", dlt.cpu);
        table.row(&title, &format!("{:.2}", own.cpu), &peer, own.cpu / dlt.cpu, &Bar::Most(bar));
    }
}

/// The configuration of dlt that takes the least CPU, and its cost.
fn best_dlt(api: &Server, data: &Data, runs: usize) -> Result<(&'static str, Cost), String> {
    let mut best: Result<(&str, Cost), String> = Err("no configuration".to_owned());
    for mode in ["default", "tuned", "arrow"] {
        let cost = costs(runs, || peer(api, data, ("dlt", "dlt_peer.py", mode)))?;
        if best.as_ref().map_or(true, |(_, least)| cost.cpu < least.cpu) {
            best = Ok((mode, cost));
        }
    }
    best
}

/// A thousand pages of a thousand records, against DuckDB over files that curl fetched.
pub(crate) fn large(table: &mut Table, runs: usize) {
    let data = places::data("large", 1000);
    let api = serve(table, &data);
    let raw_bars = [1.0 / 4.0, 1.0 / 3.0, 1.0 / 8.0];
    let typed_bars = [1.0 / 3.0, 1.0 / 2.0, 1.0 / 4.0];
    for (raw, mode, bars) in [(true, "raw", raw_bars), (false, "typed", typed_bars)] {
        let own = costs(runs, || own(&api, &data, raw));
        note(table, &data, raw, &own);
        let Ok(own) = own else { continue };
        let duck = places::python_with("duckdb").and_then(|(_, version)| {
            let way = ("duckdb", "duckdb_peer.py", mode);
            Ok((version, costs(runs, || peer(&api, &data, way))?))
        });
        match duck {
            Ok((version, duck)) => compare(table, (raw, &version), own, duck, bars),
            Err(why) => table.note("large: DuckDB and curl", "", &format!("skipped: {why}")),
        }
    }
}

fn compare(table: &mut Table, (raw, version): (bool, &str), own: Cost, peer: Cost, bars: [f64; 3]) {
    let figures = [
        ("CPU s", own.cpu, peer.cpu),
        ("wall s", own.wall, peer.wall),
        ("peak MB", own.peak, peer.peak),
    ];
    for ((unit, own, peer), bar) in figures.into_iter().zip(bars) {
        let (own_text, peer_text) = (format!("{own:.2}"), format!("DuckDB {version}: {peer:.2}"));
        let title = format!("large, {}: {unit}", kept(raw));
        table.row(&title, &own_text, &peer_text, own / peer, &Bar::Most(bar));
    }
}

fn kept(raw: bool) -> &'static str {
    if raw { "raw kept" } else { "`raw_column: null`" }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of some pages")]
fn note(table: &mut Table, data: &Data, raw: bool, own: &Result<Cost, String>) {
    let title = format!("{}, {:.0} MB, {}", data.name, data.bytes as f64 / 1e6, kept(raw));
    let text = match own {
        Ok(cost) => format!(
            "{:.0} MB a CPU s, {:.0} MB/s, peak {:.0} MB",
            data.bytes as f64 / 1e6 / cost.cpu,
            data.bytes as f64 / 1e6 / cost.wall,
            cost.peak
        ),
        Err(why) => format!("failed: {why}"),
    };
    table.note(&title, &text, "");
}

/// Medians of so many runs.
fn costs(runs: usize, mut run: impl FnMut() -> Result<Cost, String>) -> Result<Cost, String> {
    let costs: Vec<Cost> = (0..runs).map(|_| run()).collect::<Result<_, _>>()?;
    let of = |figure: fn(&Cost) -> f64| median(costs.iter().map(figure));
    Ok(Cost { wall: of(|c| c.wall), cpu: of(|c| c.cpu), peak: of(|c| c.peak), exit: 0 })
}

fn own(api: &Server, data: &Data, raw: bool) -> Result<Cost, String> {
    let extract = Extract { api: api.address, schema: SCHEMA, raw, paging: Paging::Cursor };
    extract.run(data.records)
}

/// A Python peer: the module that it needs, its script, and what else it is told.
fn peer(
    api: &Server,
    data: &Data,
    (module, script, mode): (&str, &str, &str),
) -> Result<Cost, String> {
    let (python, _) = places::python_with(module)?;
    let folder = places::fresh("peer");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/end_to_end");
    let mut command = Command::new(python);
    command.arg(scripts.join(script)).arg(format!("http://{}", api.address));
    command.arg(folder.join("out")).arg(mode).arg(data.records.to_string());
    let log = places::work().join(format!("{module}.log"));
    let cost = Cost::of(&command, &log);
    places::fresh("peer");
    match cost.exit {
        0 => Ok(cost),
        exit => Err(format!("{script} {mode}: exit {exit}, see {}.err", log.display())),
    }
}

/// The data behind nginx, or behind the bench's own server where there is none.
fn serve(table: &mut Table, data: &Data) -> Server {
    if let Some(nginx) = places::nginx() {
        return start_nginx(&nginx, data);
    }
    table.note(data.name, "", "nginx is not installed: served by the bench itself");
    Server::role("serve", &["files", data.folder.to_str().expect("a path")])
}

fn start_nginx(nginx: &Path, data: &Data) -> Server {
    let run = places::fresh("nginx");
    let address = free_address();
    let fill = [
        ("{run}", run.display().to_string()),
        ("{data}", data.folder.display().to_string()),
        ("{address}", address.to_string()),
    ];
    let template = include_str!("nginx.conf").to_owned();
    let text = fill.iter().fold(template, |text, (name, value)| text.replace(name, value));
    let file = run.join("nginx.conf");
    std::fs::write(&file, text).expect("nginx's configuration");
    let process = Command::new(nginx)
        .arg("-p")
        .arg(&run)
        .arg("-c")
        .arg(&file)
        .arg("-e")
        .arg(run.join("error.log"))
        .stdin(Stdio::null())
        .spawn()
        .expect("nginx");
    let server = Server::started(process, address);
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "nginx does not listen: {file:?}");
        std::thread::yield_now();
    }
    server
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
