//! See `lakeward_fuzz::timestamp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lakeward_fuzz::timestamp::run(bytes));
