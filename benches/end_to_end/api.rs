//! The role `serve`: an API over pages on disk or made on the fly, a thread a connection, as little as HTTP/1.1 needs.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use crate::child;
use crate::template::Template;

/// Where the bodies come from.
#[derive(Clone)]
enum Pages {
    Files(PathBuf),
    Made(Template),
}

/// `serve files FOLDER` or `serve made RECORDS`: prints where it listens, and ends with the driver.
pub(crate) fn serve(arguments: &[String]) {
    let pages = match arguments {
        [kind, folder] if kind == "files" => Pages::Files(PathBuf::from(folder).join("pages")),
        [kind, records] if kind == "made" => {
            Pages::Made(Template::new(records.parse().expect("a number of records")))
        }
        _ => return eprintln!("serve files FOLDER | made RECORDS"),
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut pages = pages.clone();
            // A client may hang up when it likes.
            std::thread::spawn(move || pages.answer(&connection));
        }
    });
    child::wait_for_end();
}

impl Pages {
    fn answer(&mut self, connection: &TcpStream) -> std::io::Result<()> {
        connection.set_nodelay(true)?;
        let mut requests = BufReader::new(connection);
        let mut response = Vec::new();
        while let Some(target) = read_target(&mut requests)? {
            response.clear();
            match page_of_target(&target).and_then(|page| self.body(page)) {
                Some(body) => {
                    write!(
                        response,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    )?;
                    response.extend_from_slice(&body);
                }
                None => write!(response, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
            }
            (&*connection).write_all(&response)?;
        }
        Ok(())
    }

    fn body(&mut self, page: u64) -> Option<Vec<u8>> {
        match self {
            Self::Files(folder) => std::fs::read(folder.join(format!("{page}.json"))).ok(),
            Self::Made(template) => template.page(page),
        }
    }
}

/// Reads a request without a body; its target. `None` at the connection's end.
fn read_target(requests: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut target = None;
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            return Ok(target);
        }
        if target.is_none() {
            target = Some(line.split(' ').nth(1).unwrap_or_default().to_owned());
        }
    }
}

/// `?page=N`, `?cursor=TOKEN` or the first.
fn page_of_target(target: &str) -> Option<u64> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "page" => return value.parse().ok(),
            "cursor" => return page_of_cursor(value),
            _ => {}
        }
    }
    Some(1)
}

/// The page of a token that [`crate::payments::cursor`] made.
fn page_of_cursor(token: &str) -> Option<u64> {
    // The inverse modulo 2^64, by Newton's method: each step doubles the bits that are right.
    let odd = crate::payments::CURSOR_STEP;
    let inverse = (0..5).fold(odd, |inverse, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)))
    });
    u64::from_str_radix(token, 16).ok().map(|token| token.wrapping_mul(inverse))
}
