//! Every entrance for bytes from outside, held to its promises over the seeds that its fuzz target begins with.

use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "they are the public functions of the fuzz crate")]
mod fuzz;

/// Feeds the entrance all seeds, each whole, cut at every length up to a bound, and with each of its first bytes changed.
fn feed(name: &str, run: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let seed = std::fs::read(&path).unwrap();
        seeds += 1;
        run(&seed);
        for at in 0..seed.len().min(64) {
            run(&seed[..at]);
            let mut changed = seed.clone();
            for byte in [0, b'"', b'-', 0xff, seed[at] ^ 1] {
                changed[at] = byte;
                run(&changed);
            }
        }
    }
    assert!(seeds > 5, "few seeds in {}", dir.display());
}

macro_rules! entrances {
    ($($name:ident),*) => {
        $(#[test] fn $name() { feed(stringify!($name), fuzz::$name::run) })*
    };
}

entrances!(decimal, files, link, manifest, names, page, signature, timestamp, waits);
