//! See `lakeward_fuzz::page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lakeward_fuzz::page::run(bytes));
