//! Pages of 100 records, each 20 ms away: how much of the wall is the waiting that nobody can avoid.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::child::Server;
use crate::extract::{Extract, Paging, SCHEMA};
use crate::payments::cursor;
use crate::places;
use crate::table::{Bar, Table, median};

const DELAY_MS: &str = "20";
/// Pages that the plain client asks for, to know the round trip.
const ASKED: u64 = 300;
const AT_ONCE: u32 = 8;

/// Adds the rows of this measure.
pub(crate) fn measure(table: &mut Table, runs: usize) {
    let data = places::data("small", 100);
    let folder = data.folder.to_str().expect("a path");
    let api = Server::role("serve", &["files", folder]);
    let proxy = Server::role("proxy", &[&api.address.to_string(), DELAY_MS]);
    #[expect(clippy::cast_precision_loss, reason = "a thousand pages")]
    let pages = data.pages as f64;
    for (title, paging, least) in [
        ("20 ms away, cursors", Paging::Cursor, 1.0),
        ("20 ms away, page numbers, `concurrency: 8`", Paging::Numbers(AT_ONCE), 8.0),
    ] {
        let extract = Extract { api: proxy.address, schema: SCHEMA, raw: true, paging };
        let mut walls = Vec::new();
        let mut trips = Vec::new();
        for _ in 0..runs {
            trips.push(round_trip(proxy.address).expect("a plain client's pages"));
            match extract.run(data.records) {
                Ok(cost) => walls.push(cost.wall),
                Err(why) => {
                    table.note(title, &format!("skipped: {why}"), "");
                    break;
                }
            }
        }
        if walls.is_empty() {
            continue;
        }
        let (wall, trip) = (median(walls), median(trips));
        let waiting = pages * trip / least;
        table.row(
            title,
            &format!("{wall:.2} s"),
            &format!("{pages} pages × {:.2} ms / {least} = {waiting:.2} s", trip * 1e3),
            wall / waiting,
            &Bar::Most(1.05),
        );
    }
}

/// Seconds from a request to the end of its response, the mean of one connection's requests in turn.
fn round_trip(api: SocketAddr) -> std::io::Result<f64> {
    let mut connection = TcpStream::connect(api)?;
    connection.set_nodelay(true)?;
    let mut responses = BufReader::with_capacity(1 << 20, connection.try_clone()?);
    let start = Instant::now();
    for page in 1..=ASKED {
        let request =
            format!("GET /v1/payments?cursor={} HTTP/1.1\r\nHost: {api}\r\n\r\n", cursor(page));
        connection.write_all(request.as_bytes())?;
        read_response(&mut responses)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "some hundred pages")]
    Ok(start.elapsed().as_secs_f64() / ASKED as f64)
}

fn read_response(responses: &mut impl BufRead) -> std::io::Result<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        responses.read_line(&mut line)?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    responses.read_exact(&mut body)
}
