//! See `lakeward_fuzz::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lakeward_fuzz::names::run(bytes));
