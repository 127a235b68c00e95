//! Any text as a Link header: never a panic, and a target is a part of it.
#![no_main]

use lakeward::http::paginate::link_header::next_target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &str| {
    if let Some(target) = next_target(value) {
        assert!(value.contains(&target), "{target}");
    }
});
