//! See `lakeward_fuzz::decimal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lakeward_fuzz::decimal::run(bytes));
