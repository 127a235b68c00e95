//! Any text as a Link header: never a panic, and a target is a part of it.

use lakeward::http::paginate::link_header::next_target;

/// Holds the entrance to what it promises.
pub fn run(bytes: &[u8]) {
    let Ok(value) = std::str::from_utf8(bytes) else { return };
    if let Some(target) = next_target(value) {
        assert!(value.contains(&target), "{target}");
    }
}
